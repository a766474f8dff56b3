package wire

// Column is a column of a result, with where it comes from.
type Column struct {
	Name string
	// Table and Attribute are the origin by OID and number; 0 where it has none.
	Table     uint32
	Attribute uint16
	// Type by OID, its size (negative: variable) and modifier.
	Type     uint32
	Size     int16
	Modifier int32
	Format   uint16
}

// minColumn is the smallest column: an empty name and 18 bytes.
const minColumn = 19

// ReadRowDescription reads the body of a RowDescription.
func ReadRowDescription(raw []byte) ([]Column, error) {
	b := body{message: "RowDescription", rest: raw}
	columns := make([]Column, b.count(minColumn))
	for i := range columns {
		columns[i] = Column{
			Name:  b.string(),
			Table: b.uint32(), Attribute: b.uint16(),
			Type: b.uint32(), Size: int16(b.uint16()), Modifier: int32(b.uint32()),
			Format: b.uint16(),
		}
	}
	return columns, b.done()
}

// CheckRowDescription is ReadRowDescription for whom the columns do not matter.
func CheckRowDescription(raw []byte) error {
	b := body{message: "RowDescription", rest: raw}
	for range b.count(minColumn) {
		b.cstring()
		b.bytes(minColumn - 1)
	}
	return b.done()
}
