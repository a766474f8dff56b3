package wire

// The objects that Describe and Close speak of.
const (
	ObjectStatement = 'S'
	ObjectPortal    = 'P'
)

// Target is what a Describe or a Close names.
type Target struct {
	Object byte
	Name   string
}

// ReadTarget reads the body of a Describe or a Close.
func ReadTarget(raw []byte) (Target, error) {
	b := body{message: "Describe or Close", rest: raw}
	t := Target{Object: b.byte(), Name: b.string()}
	if t.Object != ObjectStatement && t.Object != ObjectPortal {
		b.fail("names neither statement nor portal")
	}
	return t, b.done()
}
