package wire

// Report is what an ErrorResponse or NoticeResponse says. Fields that we have no
// use for are checked and dropped.
// https://www.postgresql.org/docs/current/protocol-error-fields.html
type Report struct {
	// Severity in English where the server says it, else as it is.
	Severity string
	// Code is the SQLSTATE.
	Code                  string
	Message, Detail, Hint string
	// Position in the text, in characters from 1; 0 is none.
	Position int
}

// Fatal says that the server ends the session with this.
func (r Report) Fatal() bool { return r.Severity == "FATAL" || r.Severity == "PANIC" }

// ReadReport reads the body of an ErrorResponse or NoticeResponse.
func ReadReport(raw []byte) (Report, error) {
	b := body{message: "ErrorResponse or NoticeResponse", rest: raw}
	var r Report
	var localised string
	for b.err == nil {
		field := b.byte()
		if field == 0 {
			break
		}
		value := b.string()
		switch field {
		case 'S':
			localised = value
		case 'V':
			r.Severity = value
		case 'C':
			r.Code = value
		case 'M':
			r.Message = value
		case 'D':
			r.Detail = value
		case 'H':
			r.Hint = value
		}
	}
	if r.Severity == "" {
		r.Severity = localised
	}
	return r, b.done()
}
