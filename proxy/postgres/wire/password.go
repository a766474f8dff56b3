package wire

// ReadPassword reads the body of a PasswordMessage. The value is a secret.
func ReadPassword(raw []byte) (string, error) {
	b := body{message: "PasswordMessage", rest: raw}
	password := b.string()
	return password, b.done()
}

// SASLInitialResponse is a client's choice of mechanism, with its first message.
type SASLInitialResponse struct {
	Mechanism string
	// Data is nil where the client sent none.
	Data []byte
}

// ReadSASLInitialResponse reads the body of a SASLInitialResponse. (A
// SASLResponse is all data: its body is its value.)
func ReadSASLInitialResponse(raw []byte) (SASLInitialResponse, error) {
	b := body{message: "SASLInitialResponse", rest: raw}
	r := SASLInitialResponse{Mechanism: b.string(), Data: b.value()}
	return r, b.done()
}
