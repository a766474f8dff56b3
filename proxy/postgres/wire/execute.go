package wire

// Execute runs a portal.
type Execute struct {
	Portal string
	// MaxRows to return before the portal is suspended; 0 is all.
	MaxRows uint32
}

// ReadExecute reads the body of an Execute.
func ReadExecute(raw []byte) (Execute, error) {
	b := body{message: "Execute", rest: raw}
	e := Execute{Portal: b.string(), MaxRows: b.uint32()}
	return e, b.done()
}
