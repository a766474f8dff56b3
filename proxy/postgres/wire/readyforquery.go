package wire

// The states of a transaction, as ReadyForQuery reports them.
const (
	StatusIdle   = 'I'
	StatusOpen   = 'T'
	StatusFailed = 'E'
)

// ReadReadyForQuery reads the body of a ReadyForQuery: the transaction's status.
func ReadReadyForQuery(raw []byte) (byte, error) {
	b := body{message: "ReadyForQuery", rest: raw}
	status := b.byte()
	if status != StatusIdle && status != StatusOpen && status != StatusFailed {
		b.fail("no such status")
	}
	return status, b.done()
}
