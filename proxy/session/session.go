package session

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/sallyport/sallyport/internal/grant"
)

// Session is one client's connection. An engine calls, in this order: TLS,
// AuthenticateKey or AuthenticateToken, Begin, AwaitGrant, Dial; then, for each
// operation, Admit, Stream while data flows, and Result.
type Session struct {
	task    *Task
	remote  net.Addr
	id      string
	created time.Time
	// context ends with its cause when the session must.
	context context.Context
	end     context.CancelCauseFunc
	// begun is closed by Begin.
	begun chan struct{}
	// entered says that it has one of the task's places; the task's mu guards it.
	entered bool
	// moved says that bytes have moved since the task last looked; touched is when it
	// saw that, since created. The task's mu guards touched.
	moved   atomic.Bool
	touched time.Duration
	// waits is how many operations are before their reviewers: the session is not idle.
	waits atomic.Int32

	// mu guards what is known of the client before it has begun.
	mu       sync.Mutex
	proof    string
	failures int

	// begunWith is nil before Begin has returned.
	begunWith  atomic.Pointer[begun]
	operations atomic.Int64
	allowed    atomic.Int64
	refused    atomic.Int64
	// audited is how many events the audit stream has of it.
	audited atomic.Int64

	connections connections
	// parting is nil where the ways to the target end with the session.
	parting atomic.Pointer[parting]
	// cut is closed when the end has closed the ways to the target.
	cut chan struct{}
	// gone is closed when Close has returned.
	gone      chan struct{}
	closeOnce sync.Once
}

func newSession(task *Task, remote net.Addr) *Session {
	s := &Session{
		task: task, remote: remote, id: newID(), created: task.options.Now(),
		begun: make(chan struct{}), cut: make(chan struct{}), gone: make(chan struct{}),
	}
	s.context, s.end = context.WithCancelCause(context.Background())
	// The way to the target ends with the session, not when its engine notices.
	context.AfterFunc(s.context, func() {
		defer close(s.cut)
		s.part()
		s.connections.close()
	})
	return s
}

// newID is ordered by time, so that lists of recordings are.
func newID() string {
	id, err := uuid.NewV7()
	if err != nil {
		id = uuid.New()
	}
	return id.String()
}

// ID is the session's identifier: it names the recording.
func (s *Session) ID() string { return s.id }

// State is the newest state of the task.
func (s *Session) State() grant.State { return s.task.State() }

// Context is what Serve is given. It ends when the session must; context.Cause says
// why, in words for the client.
func (s *Session) Context() context.Context { return s.context }

// End ends the session: its context with this cause, and its ways to the target.
func (s *Session) End(cause error) { s.end(cause) }

// Begun is closed when the client has authenticated and the recording is open.
func (s *Session) Begun() <-chan struct{} { return s.begun }

// Touch says that a byte moved: the session is not idle. It is called for every read and
// write, so the task reads the clock, when it next looks.
func (s *Session) Touch() { s.moved.Store(true) }

// TLS is the server's side of TLS with this task's certificate; it asks for a
// client certificate and accepts any: AuthenticateKey judges the key.
func (s *Session) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: s.task.options.Certificate,
		ClientAuth:     tls.RequestClientCert,
		// A resumed session would stand on a proof of an earlier connection.
		SessionTicketsDisabled: true,
	}
}
