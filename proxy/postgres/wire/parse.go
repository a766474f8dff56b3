package wire

// Parse makes a prepared statement.
type Parse struct {
	// Name of the statement; empty is the unnamed one.
	Name, Text string
	// Types of the parameters, by OID; 0 and those left out are the server's to infer.
	Types []uint32
}

// ReadParse reads the body of a Parse.
func ReadParse(raw []byte) (Parse, error) {
	b := body{message: "Parse", rest: raw}
	p := Parse{Name: b.string(), Text: b.string()}
	if n := b.count(4); n > 0 {
		p.Types = make([]uint32, n)
		for i := range p.Types {
			p.Types[i] = b.uint32()
		}
	}
	return p, b.done()
}
