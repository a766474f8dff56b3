package wire

// minValue is the smallest value of a row: its length.
const minValue = 4

// ReadDataRow reads the body of a DataRow: its values lie in raw; nil is NULL.
func ReadDataRow(raw []byte) ([][]byte, error) {
	b := body{message: "DataRow", rest: raw}
	values := make([][]byte, b.count(minValue))
	for i := range values {
		values[i] = b.value()
	}
	return values, b.done()
}
