package wire

import (
	"encoding/binary"
	"slices"

	"github.com/jackc/pgproto3/v2"
)

// Each Append function adds one message of ours to dst. What we write is small:
// an encoder's only error, a message too large for its length field, cannot be.

func appendMessage(dst []byte, m pgproto3.Message) []byte {
	out, err := m.Encode(dst)
	if err != nil {
		return dst
	}
	return out
}

// AppendAuthenticationOk tells a client that it is known.
func AppendAuthenticationOk(dst []byte) []byte {
	return appendMessage(dst, &pgproto3.AuthenticationOk{})
}

// AppendAuthenticationCleartext asks a client for a password.
func AppendAuthenticationCleartext(dst []byte) []byte {
	return appendMessage(dst, &pgproto3.AuthenticationCleartextPassword{})
}

// AppendPassword answers a server's request for a password.
func AppendPassword(dst []byte, password string) []byte {
	return appendMessage(dst, &pgproto3.PasswordMessage{Password: password})
}

// AppendSASLInitialResponse answers a server's AuthenticationSASL.
func AppendSASLInitialResponse(dst []byte, mechanism, data string) []byte {
	return appendMessage(dst, &pgproto3.SASLInitialResponse{AuthMechanism: mechanism, Data: []byte(data)})
}

// AppendSASLResponse answers a server's AuthenticationSASLContinue.
func AppendSASLResponse(dst []byte, data string) []byte {
	return appendMessage(dst, &pgproto3.SASLResponse{Data: []byte(data)})
}

// AppendStartup opens a session.
func AppendStartup(dst []byte, s Startup) []byte {
	return appendMessage(dst, &pgproto3.StartupMessage{ProtocolVersion: s.Version, Parameters: s.Parameters})
}

// AppendSSLRequest asks a server for TLS.
func AppendSSLRequest(dst []byte) []byte { return appendMessage(dst, &pgproto3.SSLRequest{}) }

// AppendTerminate ends a session.
func AppendTerminate(dst []byte) []byte { return appendMessage(dst, &pgproto3.Terminate{}) }

// AppendFlush asks a server to send what it holds.
func AppendFlush(dst []byte) []byte { return appendMessage(dst, &pgproto3.Flush{}) }

// AppendQuery is a simple query.
func AppendQuery(dst []byte, text string) []byte {
	return appendMessage(dst, &pgproto3.Query{String: text})
}

// AppendParse makes a prepared statement.
func AppendParse(dst []byte, p Parse) []byte {
	return appendMessage(dst, &pgproto3.Parse{Name: p.Name, Query: p.Text, ParameterOIDs: p.Types})
}

// AppendBind makes a portal, with values as text.
func AppendBind(dst []byte, b Bind) []byte {
	return appendMessage(dst, &pgproto3.Bind{DestinationPortal: b.Portal, PreparedStatement: b.Statement, Parameters: b.Values})
}

// AppendExecute runs a portal to its end.
func AppendExecute(dst []byte, portal string) []byte {
	return appendMessage(dst, &pgproto3.Execute{Portal: portal})
}

// AppendClose closes a statement or portal, whether it is there or not.
func AppendClose(dst []byte, t Target) []byte {
	return appendMessage(dst, &pgproto3.Close{ObjectType: t.Object, Name: t.Name})
}

// AppendSync ends a run of messages.
func AppendSync(dst []byte) []byte { return appendMessage(dst, &pgproto3.Sync{}) }

// AppendDescribe asks for the shape of a statement or portal.
func AppendDescribe(dst []byte, t Target) []byte {
	return appendMessage(dst, &pgproto3.Describe{ObjectType: t.Object, Name: t.Name})
}

// AppendNotification tells a client of a NOTIFY.
func AppendNotification(dst []byte, n Notification) []byte {
	return appendMessage(dst, &pgproto3.NotificationResponse{PID: n.ProcessID, Channel: n.Channel, Payload: n.Payload})
}

// AppendParameterStatus tells a client of a setting.
func AppendParameterStatus(dst []byte, p ParameterStatus) []byte {
	return appendMessage(dst, &pgproto3.ParameterStatus{Name: p.Name, Value: p.Value})
}

// AppendReadyForQuery tells a client that it may go on.
func AppendReadyForQuery(dst []byte, status byte) []byte {
	return appendMessage(dst, &pgproto3.ReadyForQuery{TxStatus: status})
}

// AppendError tells a client that something failed.
func AppendError(dst []byte, r Report) []byte {
	return appendMessage(dst, &pgproto3.ErrorResponse{
		Severity: r.Severity, SeverityUnlocalized: r.Severity,
		Code: r.Code, Message: r.Message, Detail: r.Detail, Hint: r.Hint, Position: int32(r.Position),
	})
}

// AppendNotice tells a client something in passing.
func AppendNotice(dst []byte, r Report) []byte {
	return appendMessage(dst, &pgproto3.NoticeResponse{
		Severity: r.Severity, SeverityUnlocalized: r.Severity,
		Code: r.Code, Message: r.Message, Detail: r.Detail, Hint: r.Hint,
	})
}

// Protocol 3.2 is younger than pgproto3/v2: the messages that it changed are
// written here.

// AppendBackendKey tells a client how to cancel.
func AppendBackendKey(dst []byte, k BackendKey) []byte {
	dst = append(dst, TypeBackendKeyData)
	dst = binary.BigEndian.AppendUint32(dst, uint32(lengthSize+4+len(k.Secret)))
	dst = binary.BigEndian.AppendUint32(dst, k.ProcessID)
	return append(dst, k.Secret...)
}

// AppendCancelRequest cancels what the session of that key is doing.
func AppendCancelRequest(dst []byte, k BackendKey) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(lengthSize+8+len(k.Secret)))
	dst = binary.BigEndian.AppendUint32(dst, codeCancel)
	dst = binary.BigEndian.AppendUint32(dst, k.ProcessID)
	return append(dst, k.Secret...)
}

// AppendNegotiateVersion tells a client which minor version is spoken, and which
// of its options are not known.
func AppendNegotiateVersion(dst []byte, v NegotiateVersion) []byte {
	size := lengthSize + 8
	for _, option := range v.Options {
		size += len(option) + 1
	}
	dst = slices.Grow(dst, size+1)
	dst = append(dst, TypeNegotiateVersion)
	dst = binary.BigEndian.AppendUint32(dst, uint32(size))
	// The whole version, as PostgreSQL itself sends it.
	dst = binary.BigEndian.AppendUint32(dst, 3<<16|v.Minor)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(v.Options)))
	for _, option := range v.Options {
		dst = append(append(dst, option...), 0)
	}
	return dst
}
