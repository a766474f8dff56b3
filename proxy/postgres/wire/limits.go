package wire

// DefaultMaxMessage is the largest message taken, in bytes: a value of 64 MiB,
// and what frames it.
const DefaultMaxMessage = 64<<20 + 64<<10

// maxUnauthenticated is the largest message of a peer that has not proved who
// it is (PostgreSQL's own MAX_STARTUP_PACKET_LENGTH).
const maxUnauthenticated = 10000

const (
	small  = 64 << 10
	medium = 4 << 20
	report = 16 << 20
)

// Limits say which messages a peer may send in a phase, and how large. Those of many
// readers may be the same: they do not change.
type Limits struct {
	size [256]int64
	// streamed messages are taken in pieces, not as a whole.
	streamed [256]bool
}

// of is the limit of a type, and whether the phase knows the type.
func (l *Limits) of(t byte) (int64, bool) { return l.size[t] - 1, l.size[t] > 0 }

// allow lets messages of size up to limit.
func (l *Limits) allow(limit int64, types ...byte) {
	for _, t := range types {
		l.size[t] = limit + 1
	}
}

// stream lets messages be taken in pieces.
func (l *Limits) stream(types ...byte) {
	for _, t := range types {
		l.streamed[t] = true
	}
}

// PasswordLimits are for a client that is asked to prove who it is.
func PasswordLimits() *Limits {
	l := &Limits{}
	l.allow(maxUnauthenticated, TypePassword)
	return l
}

// StartupLimits are for a server before its first ReadyForQuery.
func StartupLimits() *Limits {
	l := &Limits{}
	l.allow(small, TypeAuthentication, TypeParameterStatus, TypeErrorResponse, TypeNoticeResponse, TypeNegotiateVersion)
	l.allow(maxBackendKey+4, TypeBackendKeyData)
	l.allow(1, TypeReadyForQuery)
	return l
}

// FrontendLimits are for an authenticated client; no message is over limit.
func FrontendLimits(limit int64) *Limits {
	l := &Limits{}
	l.allow(limit, TypeQuery, TypeParse, TypeBind, TypeCopyData, TypeFunctionCall)
	l.allow(small, TypeClose, TypeDescribe, TypeExecute, TypeCopyFail)
	l.allow(0, TypeFlush, TypeSync, TypeTerminate, TypeCopyDone)
	l.stream(TypeCopyData)
	return l
}

// BackendLimits are for a server that has been asked something; no message is
// over limit.
func BackendLimits(limit int64) *Limits {
	l := &Limits{}
	l.allow(limit, TypeDataRow, TypeCopyData)
	l.allow(min(limit, report), TypeErrorResponse, TypeNoticeResponse)
	l.allow(medium, TypeRowDescription, TypeParameterDescription)
	l.allow(small, TypeCommandComplete, TypeParameterStatus, TypeNotificationResponse,
		TypeCopyInResponse, TypeCopyOutResponse, TypeCopyBothResponse)
	l.allow(0, TypeBindComplete, TypeCloseComplete, TypeCopyDone, TypeEmptyQueryResponse,
		TypeNoData, TypeParseComplete, TypePortalSuspended)
	l.allow(1, TypeReadyForQuery)
	l.stream(TypeDataRow, TypeCopyData)
	return l
}

// Whole are the same limits for a reader that must see each message as one: none is
// taken in pieces.
func (l *Limits) Whole() *Limits {
	return &Limits{size: l.size}
}
