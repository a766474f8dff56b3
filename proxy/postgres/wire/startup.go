package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Versions of the protocol: major in the upper half, minor in the lower.
const (
	Version30 = 3 << 16
	Version32 = 3<<16 | 2
)

// Codes that stand where a version would.
const (
	codeCancel = 1234<<16 | 5678
	codeSSL    = 1234<<16 | 5679
	codeGSSENC = 1234<<16 | 5680
)

// maxParameters bounds what a client may set as it starts.
const maxParameters = 64

// Opening is what a client says first: exactly one of its fields is set.
type Opening struct {
	SSL, GSSENC bool
	Cancel      *BackendKey
	Startup     *Startup
}

// Startup opens a session.
type Startup struct {
	// Version of the protocol that the client asks for.
	Version uint32
	// Parameters by name as the client wrote it, "user" and "database" too.
	Parameters map[string]string
}

// ReadOpening reads a client's first message. It reads not a byte more: what
// came before TLS can never be taken for what came inside (CVE-2021-23214).
func ReadOpening(source io.Reader) (Opening, error) {
	var length [lengthSize]byte
	if _, err := io.ReadFull(source, length[:]); err != nil {
		return Opening{}, err
	}
	size := int64(binary.BigEndian.Uint32(length[:])) - lengthSize
	if size < 4 {
		return Opening{}, malformed("StartupMessage", "ends too early")
	}
	if size > maxUnauthenticated {
		return Opening{}, fmt.Errorf("StartupMessage: %w: it declares %d bytes, at most %d are taken", ErrTooLarge, size, maxUnauthenticated)
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(source, raw); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return Opening{}, err
	}
	return readOpening(raw)
}

func readOpening(raw []byte) (Opening, error) {
	b := body{message: "StartupMessage", rest: raw}
	switch code := b.uint32(); code {
	case codeSSL:
		return Opening{SSL: true}, b.done()
	case codeGSSENC:
		return Opening{GSSENC: true}, b.done()
	case codeCancel:
		key := b.backendKey()
		return Opening{Cancel: &key}, b.done()
	default:
		startup := Startup{Version: code, Parameters: b.parameters()}
		return Opening{Startup: &startup}, b.done()
	}
}

// parameters takes pairs of strings up to an empty name. A name that comes twice
// is refused: whoever reads it next might take the other.
func (b *body) parameters() map[string]string {
	parameters := map[string]string{}
	for b.err == nil {
		name := b.string()
		if name == "" {
			break
		}
		if _, twice := parameters[name]; twice {
			b.fail("a parameter comes twice")
		}
		if len(parameters) == maxParameters {
			b.fail("too many parameters")
		}
		parameters[name] = b.string()
	}
	return parameters
}
