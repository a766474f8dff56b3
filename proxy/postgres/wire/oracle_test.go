package wire

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgproto3"
)

// The oracle of these fuzz tests is pgx's own codec. What we read, it reads the
// same. What it reads and would write the same way, we read too, unless strict
// names the reason why not. Nothing makes either crash.

type decoder interface {
	pgproto3.Message
	Decode([]byte) error
}

func differ(t *testing.T, raw []byte, theirs decoder, ours func([]byte) (any, error), same func() any, strict func() bool) {
	t.Helper()
	kept := bytes.Clone(raw)
	got, err := ours(raw)
	if !bytes.Equal(raw, kept) {
		t.Fatal("the reader changed the message")
	}
	theirErr := theirs.Decode(kept)
	switch {
	case err == nil && theirErr != nil:
		t.Fatalf("we read %+v, the oracle refuses: %v", got, theirErr)
	case err == nil:
		if diff := cmp.Diff(same(), got, cmp.Comparer(bytes.Equal)); diff != "" {
			t.Fatalf("the oracle reads otherwise (-oracle +ours):\n%s", diff)
		}
	case !errors.Is(err, ErrMalformed):
		t.Fatalf("refused with %v, not ErrMalformed", err)
	case theirErr == nil && !strict():
		again, encodeErr := theirs.Encode(nil)
		if encodeErr == nil && bytes.Equal(again[HeaderSize:], raw) {
			t.Fatalf("we refuse what the oracle reads: %v", err)
		}
	}
}

func never() bool { return false }

func nilIfEmpty[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}

func formats(codes []int16) []uint16 {
	var out []uint16
	for _, c := range codes {
		out = append(out, uint16(c))
	}
	return out
}

func outside(codes []uint16) bool {
	for _, c := range codes {
		if c > FormatBinary {
			return true
		}
	}
	return false
}

func FuzzQuery(f *testing.F) {
	f.Add([]byte("select 1\x00"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m pgproto3.Query
		differ(t, raw, &m, func(b []byte) (any, error) { return ReadQuery(b) },
			func() any { return Query{Text: m.String} }, never)
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("s\x00select $1\x00\x00\x01\x00\x00\x00\x17"))
	f.Add([]byte("\x00\x00\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m pgproto3.Parse
		differ(t, raw, &m, func(b []byte) (any, error) { return ReadParse(b) },
			func() any { return Parse{Name: m.Name, Text: m.Query, Types: m.ParameterOIDs} }, never)
	})
}

func FuzzBind(f *testing.F) {
	f.Add([]byte("p\x00s\x00\x00\x01\x00\x01\x00\x02\x00\x00\x00\x01x\xff\xff\xff\xff\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x01\x80\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m pgproto3.Bind
		differ(t, raw, &m, func(b []byte) (any, error) { return ReadBind(b) }, func() any {
			return Bind{Portal: m.DestinationPortal, Statement: m.PreparedStatement,
				Formats: formats(m.ParameterFormatCodes), Values: nilIfEmpty(m.Parameters), ResultFormats: formats(m.ResultFormatCodes)}
		}, func() bool {
			n := len(m.ParameterFormatCodes)
			return outside(formats(m.ParameterFormatCodes)) || outside(formats(m.ResultFormatCodes)) || n > 1 && n != len(m.Parameters)
		})
	})
}

func FuzzDescribe(f *testing.F) {
	f.Add([]byte("Sname\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m pgproto3.Describe
		differ(t, raw, &m, func(b []byte) (any, error) { return ReadTarget(b) },
			func() any { return Target{Object: m.ObjectType, Name: m.Name} },
			func() bool { return m.ObjectType != ObjectStatement && m.ObjectType != ObjectPortal })
	})
}

func FuzzExecute(f *testing.F) {
	f.Add([]byte("p\x00\x00\x00\x00\x0a"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m pgproto3.Execute
		differ(t, raw, &m, func(b []byte) (any, error) { return ReadExecute(b) },
			func() any { return Execute{Portal: m.Portal, MaxRows: m.MaxRows} }, never)
	})
}

func FuzzCopyFail(f *testing.F) {
	f.Add([]byte("enough\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m pgproto3.CopyFail
		differ(t, raw, &m, func(b []byte) (any, error) { return ReadCopyFail(b) },
			func() any { return CopyFail{Message: m.Message} }, never)
	})
}

func FuzzPassword(f *testing.F) {
	f.Add([]byte("secret\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m pgproto3.PasswordMessage
		differ(t, raw, &m, func(b []byte) (any, error) { return ReadPassword(b) }, func() any { return m.Password }, never)
	})
}

func FuzzSASLInitialResponse(f *testing.F) {
	f.Add([]byte("SCRAM-SHA-256\x00\x00\x00\x00\x02n,"))
	f.Add([]byte("SCRAM-SHA-256\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m pgproto3.SASLInitialResponse
		differ(t, raw, &m, func(b []byte) (any, error) { return ReadSASLInitialResponse(b) },
			func() any { return SASLInitialResponse{Mechanism: m.AuthMechanism, Data: m.Data} }, never)
	})
}

func FuzzAuthenticationSASL(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x0aSCRAM"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := ReadAuthentication(raw)
		if err == nil && a.Code != AuthenticationSASL {
			return
		}
		var m pgproto3.AuthenticationSASL
		differ(t, raw, &m, func(b []byte) (any, error) { a, err := ReadAuthentication(b); return a.Mechanisms, err },
			func() any { return nilIfEmpty(m.AuthMechanisms) },
			// An empty name ends the list.
			func() bool { return slices.Contains(m.AuthMechanisms, "") })
	})
}

func FuzzAuthenticationMD5(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x05salt"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if a, err := ReadAuthentication(raw); err == nil && a.Code != AuthenticationMD5 {
			return
		}
		var m pgproto3.AuthenticationMD5Password
		differ(t, raw, &m, func(b []byte) (any, error) { a, err := ReadAuthentication(b); return a.Salt, err },
			func() any { return m.Salt }, never)
	})
}

func FuzzParameterStatus(f *testing.F) {
	f.Add([]byte("client_encoding\x00UTF8\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m pgproto3.ParameterStatus
		differ(t, raw, &m, func(b []byte) (any, error) { return ReadParameterStatus(b) },
			func() any { return ParameterStatus{Name: m.Name, Value: m.Value} }, never)
	})
}

func FuzzBackendKeyData(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01abcd"))
	f.Add(make([]byte, 300))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m pgproto3.BackendKeyData
		differ(t, raw, &m, func(b []byte) (any, error) { return ReadBackendKey(b) },
			func() any { return BackendKey{ProcessID: m.ProcessID, Secret: m.SecretKey} },
			func() bool { return len(m.SecretKey) > maxBackendKey })
	})
}

func FuzzReadyForQuery(f *testing.F) {
	f.Add([]byte("I"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m pgproto3.ReadyForQuery
		differ(t, raw, &m, func(b []byte) (any, error) { return ReadReadyForQuery(b) },
			func() any { return m.TxStatus }, func() bool { return !strings.ContainsRune("ITE", rune(m.TxStatus)) })
	})
}

func FuzzCommandComplete(f *testing.F) {
	f.Add([]byte("INSERT 0 5\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m pgproto3.CommandComplete
		differ(t, raw, &m, func(b []byte) (any, error) { return ReadCommandComplete(b) },
			func() any { return CommandComplete{Tag: string(m.CommandTag)} }, never)
	})
}

func FuzzReport(f *testing.F) {
	f.Add([]byte("SERROR\x00VERROR\x00C42501\x00Mno\x00Hask\x00\x00"))
	f.Add([]byte("C42501"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m pgproto3.ErrorResponse
		differ(t, raw, &m, func(b []byte) (any, error) { return ReadReport(b) }, func() any {
			severity := m.SeverityUnlocalized
			if severity == "" {
				severity = m.Severity
			}
			return Report{Severity: severity, Code: m.Code, Message: m.Message, Detail: m.Detail, Hint: m.Hint}
		}, never)
	})
}

func FuzzRowDescription(f *testing.F) {
	f.Add([]byte("\x00\x01id\x00\x00\x00\x40\x01\x00\x01\x00\x00\x00\x17\x00\x04\xff\xff\xff\xff\x00\x00"))
	f.Add([]byte("\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m pgproto3.RowDescription
		differ(t, raw, &m, func(b []byte) (any, error) { return ReadRowDescription(b) }, func() any {
			columns := make([]Column, len(m.Fields))
			for i, c := range m.Fields {
				columns[i] = Column{Name: string(c.Name), Table: c.TableOID, Attribute: c.TableAttributeNumber, Type: c.DataTypeOID,
					Size: c.DataTypeSize, Modifier: c.TypeModifier, Format: uint16(c.Format)}
			}
			return columns
		}, never)
	})
}

func FuzzParameterDescription(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x00\x00\x17"))
	f.Add([]byte("\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m pgproto3.ParameterDescription
		differ(t, raw, &m, func(b []byte) (any, error) { return ReadParameterDescription(b) },
			func() any { return m.ParameterOIDs }, never)
	})
}

func FuzzCopyResponse(f *testing.F) {
	f.Add([]byte("\x00\x00\x02\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m pgproto3.CopyInResponse
		differ(t, raw, &m, func(b []byte) (any, error) { return ReadCopyResponse(b) },
			func() any { return CopyResponse{Format: m.OverallFormat, Columns: nilIfEmpty(m.ColumnFormatCodes)} },
			func() bool { return m.OverallFormat > FormatBinary || outside(m.ColumnFormatCodes) })
	})
}

func FuzzNegotiateVersion(f *testing.F) {
	f.Add([]byte("\x00\x03\x00\x00\x00\x00\x00\x01_pq_.x\x00"))
	f.Add([]byte("\x00\x00\x00\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m pgproto3.NegotiateProtocolVersion
		differ(t, raw, &m, func(b []byte) (any, error) { return ReadNegotiateVersion(b) }, func() any {
			return NegotiateVersion{Minor: m.NewestMinorProtocol & 0xffff, Options: nilIfEmpty(m.UnrecognizedOptions)}
		}, never)
	})
}

func FuzzNotification(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01jobs\x00done\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m pgproto3.NotificationResponse
		differ(t, raw, &m, func(b []byte) (any, error) { return ReadNotification(b) },
			func() any { return Notification{ProcessID: m.PID, Channel: m.Channel, Payload: m.Payload} }, never)
	})
}

func FuzzOpening(f *testing.F) {
	f.Add([]byte("\x00\x03\x00\x00user\x00bob\x00database\x00orders\x00\x00"))
	f.Add([]byte("\x00\x03\x00\x02\x00"))
	f.Add([]byte("\x04\xd2\x16\x2e\x00\x00\x00\x01abcd"))
	f.Add([]byte("\x04\xd2\x16\x2f"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		opening, err := readOpening(raw)
		if err != nil {
			return
		}
		switch {
		case opening.Startup != nil && (opening.Startup.Version == Version30 || opening.Startup.Version == Version32) && len(opening.Startup.Parameters) > 0:
			var m pgproto3.StartupMessage
			if err := m.Decode(raw); err != nil {
				t.Fatalf("we read %+v, the oracle refuses: %v", opening.Startup, err)
			}
			if !reflect.DeepEqual(m.Parameters, opening.Startup.Parameters) {
				t.Fatalf("the oracle reads %v, we read %v", m.Parameters, opening.Startup.Parameters)
			}
		case opening.Cancel != nil:
			var m pgproto3.CancelRequest
			if err := m.Decode(raw); err != nil || m.ProcessID != opening.Cancel.ProcessID || !bytes.Equal(m.SecretKey, opening.Cancel.Secret) {
				t.Fatalf("we read %d, the oracle %d, %v", opening.Cancel.ProcessID, m.ProcessID, err)
			}
		}
	})
}
