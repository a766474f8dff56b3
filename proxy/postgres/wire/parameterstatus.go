package wire

// ParameterStatus is a setting of the server that clients want to know.
type ParameterStatus struct{ Name, Value string }

// ReadParameterStatus reads the body of a ParameterStatus.
func ReadParameterStatus(raw []byte) (ParameterStatus, error) {
	b := body{message: "ParameterStatus", rest: raw}
	p := ParameterStatus{Name: b.string(), Value: b.string()}
	return p, b.done()
}
