package wire

// CopyFail is a client's word that its COPY data are at fault.
type CopyFail struct{ Message string }

// ReadCopyFail reads the body of a CopyFail.
func ReadCopyFail(raw []byte) (CopyFail, error) {
	b := body{message: "CopyFail", rest: raw}
	f := CopyFail{Message: b.string()}
	return f, b.done()
}
