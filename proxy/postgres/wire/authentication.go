package wire

// Authentication requests that we answer; others are refused by number.
const (
	AuthenticationOk           = 0
	AuthenticationCleartext    = 3
	AuthenticationMD5          = 5
	AuthenticationSASL         = 10
	AuthenticationSASLContinue = 11
	AuthenticationSASLFinal    = 12
)

// Authentication is what a server asks, by its code.
type Authentication struct {
	Code uint32
	// Salt of an AuthenticationMD5.
	Salt [4]byte
	// Mechanisms of an AuthenticationSASL.
	Mechanisms []string
	// Data of an AuthenticationSASLContinue or Final.
	Data []byte
}

// ReadAuthentication reads the body of any authentication request.
func ReadAuthentication(raw []byte) (Authentication, error) {
	b := body{message: "Authentication", rest: raw}
	a := Authentication{Code: b.uint32()}
	switch a.Code {
	case AuthenticationMD5:
		copy(a.Salt[:], b.bytes(4))
	case AuthenticationSASL:
		a.Mechanisms = b.mechanisms()
	case AuthenticationOk, AuthenticationCleartext:
	default:
		a.Data = b.bytes(len(b.rest))
	}
	return a, b.done()
}

// mechanisms takes strings up to an empty one.
func (b *body) mechanisms() []string {
	var names []string
	for b.err == nil {
		name := b.string()
		if name == "" {
			break
		}
		names = append(names, name)
	}
	return names
}
