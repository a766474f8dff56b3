package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Messages that a frontend sends.
const (
	TypeBind         = 'B'
	TypeClose        = 'C'
	TypeDescribe     = 'D'
	TypeExecute      = 'E'
	TypeFlush        = 'H'
	TypeFunctionCall = 'F'
	TypeParse        = 'P'
	TypePassword     = 'p'
	TypeQuery        = 'Q'
	TypeSync         = 'S'
	TypeTerminate    = 'X'
	TypeCopyFail     = 'f'
)

// Messages that either side sends.
const (
	TypeCopyData = 'd'
	TypeCopyDone = 'c'
)

// Messages that a backend sends.
const (
	TypeAuthentication       = 'R'
	TypeBackendKeyData       = 'K'
	TypeBindComplete         = '2'
	TypeCloseComplete        = '3'
	TypeCommandComplete      = 'C'
	TypeCopyBothResponse     = 'W'
	TypeCopyInResponse       = 'G'
	TypeCopyOutResponse      = 'H'
	TypeDataRow              = 'D'
	TypeEmptyQueryResponse   = 'I'
	TypeErrorResponse        = 'E'
	TypeNegotiateVersion     = 'v'
	TypeNoData               = 'n'
	TypeNoticeResponse       = 'N'
	TypeNotificationResponse = 'A'
	TypeParameterDescription = 't'
	TypeParameterStatus      = 'S'
	TypeParseComplete        = '1'
	TypePortalSuspended      = 's'
	TypeReadyForQuery        = 'Z'
	TypeRowDescription       = 'T'
)

// HeaderSize is the type byte and the length of a message.
const HeaderSize = 5

// lengthSize is the length field, which counts itself.
const lengthSize = 4

var (
	// ErrMalformed is a message that the protocol does not allow.
	ErrMalformed = errors.New("malformed message")
	// ErrTooLarge is a message over its limit.
	ErrTooLarge = errors.New("message too large")
)

// malformed names the message in an ErrMalformed.
func malformed(message, why string) error {
	return fmt.Errorf("%s: %w: %s", message, ErrMalformed, why)
}

// Header is a frame's type and the size of its body in bytes.
type Header struct {
	Type byte
	Size int64
}

// header reads the first HeaderSize bytes of b. The declared length is widened
// before any arithmetic, and checked before anything is allocated
// (CVE-2024-27304).
func header(b []byte, limits *Limits) (Header, error) {
	declared := int64(binary.BigEndian.Uint32(b[1:HeaderSize]))
	h := Header{Type: b[0], Size: declared - lengthSize}
	limit, known := limits.of(h.Type)
	switch {
	case !known:
		return Header{}, fmt.Errorf("%w: type %q is not known here", ErrMalformed, h.Type)
	case h.Size < 0:
		return Header{}, fmt.Errorf("%w: type %q declares length %d", ErrMalformed, h.Type, declared)
	case h.Size > limit:
		return Header{}, fmt.Errorf("%w: type %q declares %d bytes, at most %d are taken", ErrTooLarge, h.Type, h.Size, limit)
	}
	return h, nil
}
