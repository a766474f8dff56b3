package wire

// Query is a simple query: one string of any number of statements.
type Query struct{ Text string }

// ReadQuery reads the body of a Query.
func ReadQuery(raw []byte) (Query, error) {
	b := body{message: "Query", rest: raw}
	q := Query{Text: b.string()}
	return q, b.done()
}
