package postgres

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// Parameters that are not the client's to set.
const (
	parameterUser        = "user"
	parameterDatabase    = "database"
	parameterApplication = "application_name"
	parameterEncoding    = "client_encoding"
	parameterStrings     = "standard_conforming_strings"
	parameterSearchPath  = "search_path"
)

// SearchPath is what every session runs with: the one that statements are judged
// by. Naming pg_temp last keeps temporary tables from hiding others.
const SearchPath = "public, pg_temp"

// settings are what a client may set as it starts. None of them changes what a
// statement means (CVE-2025-12819): options, search_path, role,
// session_authorization, replication and whatever else is not here is refused.
var settings = map[string]bool{
	parameterApplication:                  true,
	parameterEncoding:                     true,
	"bytea_output":                        true,
	"datestyle":                           true,
	"default_transaction_deferrable":      true,
	"default_transaction_isolation":       true,
	"default_transaction_read_only":       true,
	"extra_float_digits":                  true,
	"idle_in_transaction_session_timeout": true,
	"intervalstyle":                       true,
	"lock_timeout":                        true,
	"statement_timeout":                   true,
	"timezone":                            true,
}

// fixedSettings are no client's to set, whatever its grant: they change who speaks, what
// the protocol is, or what a text means.
var fixedSettings = map[string]bool{
	"replication": true, "role": true, "session_authorization": true, "is_superuser": true,
	"options": true, parameterStrings: true, "backslash_quote": true, "escape_string_warning": true,
}

// maxSetting bounds a value, in bytes.
const maxSetting = 256

// protocolOption begins the names of options of the protocol itself; we know none
// of them, and say so as the protocol has it.
const protocolOption = "_pq_."

// request is what a client asks for as it starts.
type request struct {
	user, database string
	// settings by lower-case name, each allowed, application_name among them.
	settings map[string]string
	// options of the protocol that we do not know.
	options []string
}

// readRequest sorts a client's start-up parameters, and refuses those that are not
// allowed: of an unrestricted grant few. PostgreSQL ignores the case of settings, so it is ignored here.
func readRequest(parameters map[string]string, unrestricted bool) (request, error) {
	r := request{settings: map[string]string{}}
	for written, value := range parameters {
		name := strings.ToLower(written)
		if strings.HasPrefix(name, protocolOption) {
			r.options = append(r.options, written)
			continue
		}
		if len(value) > maxSetting {
			return request{}, &fault{code: codeInvalidParameter, message: fmt.Sprintf("start-up parameter %q is too long", printable(written))}
		}
		switch {
		case name == parameterUser:
			r.user = value
		case name == parameterDatabase:
			r.database = value
		case !settings[name] && (!unrestricted || fixedSettings[name]):
			return request{}, &fault{code: codeNotAllowed, message: fmt.Sprintf("start-up parameter %q is not allowed through this proxy", printable(written)),
				hint: "Connect without it. (PGOPTIONS and the connection string's options set such parameters.)"}
		default:
			if _, twice := r.settings[name]; twice {
				return request{}, &fault{code: codeInvalidParameter, message: fmt.Sprintf("start-up parameter %q comes twice", name)}
			}
			r.settings[name] = value
		}
	}
	if r.database == "" {
		r.database = r.user
	}
	if r.user == "" {
		return request{}, &fault{code: codeAuthorization, message: "no user name in the start-up message"}
	}
	encoding, err := startupEncoding(r.settings[parameterEncoding])
	if err != nil {
		return request{}, err
	}
	r.settings[parameterEncoding] = encoding
	return r, nil
}

// encodings that a session may use, by PostgreSQL's name without its punctuation:
// in each, a byte below 0x80 is that ASCII character wherever it stands. SJIS,
// BIG5, GBK, UHC, JOHAB and GB18030 are not so: a character's second byte may be a
// backslash or a quote.
var encodings = map[string]string{
	"utf8": "UTF8", "unicode": "UTF8",
	"latin1": "LATIN1", "iso88591": "LATIN1", "latin9": "LATIN9", "iso885915": "LATIN9",
	"win1250": "WIN1250", "win1251": "WIN1251", "win1252": "WIN1252",
	"windows1250": "WIN1250", "windows1251": "WIN1251", "windows1252": "WIN1252",
	"koi8r": "KOI8R",
}

func knownEncoding(name string) (string, bool) {
	clean := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
	known, ok := encodings[clean]
	return known, ok
}

// startupEncoding is the encoding that a session starts with. A client that says
// SQL_ASCII does not care (psql in locale C): it gets UTF8, since a judge must know
// what the bytes mean.
func startupEncoding(asked string) (string, error) {
	if asked == "" || strings.EqualFold(asked, "SQL_ASCII") {
		return "UTF8", nil
	}
	encoding, ok := knownEncoding(asked)
	if !ok {
		return "", &fault{code: codeInvalidParameter, message: fmt.Sprintf("client_encoding %q is not allowed through this proxy", printable(asked)),
			hint: "Use UTF8 (PGCLIENTENCODING=UTF8)."}
	}
	return encoding, nil
}

// checkStatus ends a session whose settings make statements mean something else
// than was judged.
func checkStatus(p wire.ParameterStatus) error {
	switch strings.ToLower(p.Name) {
	case parameterStrings:
		if p.Value != "on" {
			return &fault{code: codeNotAllowed, message: "standard_conforming_strings must stay on: statements are judged by it"}
		}
	case parameterEncoding:
		if _, ok := knownEncoding(p.Value); !ok {
			return &fault{code: codeNotAllowed, message: fmt.Sprintf("client_encoding %q is not allowed through this proxy", printable(p.Value))}
		}
	}
	return nil
}

// maxApplication is the most that PostgreSQL keeps of an application's name, in bytes.
const maxApplication = 63

// applicationName is what the target shows of this session: the task first, then
// what the client calls itself.
func applicationName(task, client string) string {
	name := "sallyport " + printable(task)
	if client != "" {
		name += ": " + printable(client)
	}
	return name[:min(len(name), maxApplication)]
}

// printable replaces all but printable ASCII, as PostgreSQL does with names.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
