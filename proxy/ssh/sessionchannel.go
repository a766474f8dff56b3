package ssh

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/session"
)

const (
	// maxEnvironment bounds the variables of a channel.
	maxEnvironment = 128
	// refusedStatus is what a shell says of a command that may not be run.
	refusedStatus = 126
	// cancelledStatus is what it says of one that was interrupted: 128 + SIGINT.
	cancelledStatus = 130
	// goodbyeTimeout bounds telling the client of a channel why it ends, floodTimeout where
	// a program runs, whose output may be in the way: the client has to hear of the end
	// before its connection is cut.
	goodbyeTimeout = 150 * time.Millisecond
	floodTimeout   = 50 * time.Millisecond
)

// sessionChannel is a channel of the client's that a program runs in (RFC 4254 section
// 6). Its goroutine answers the client's requests in their order.
type sessionChannel struct {
	*connection
	// number orders the channels of a connection.
	number int64
	client ssh.Channel
	asked  <-chan *ssh.Request
	// queued are requests that came while one before them was held.
	queued []*ssh.Request
	// gone says that the client has closed the channel.
	gone bool

	// target is nil until something has been granted that goes there.
	target      ssh.Channel
	fromTarget  <-chan *ssh.Request
	terminal    *ptyRequest
	environment int
	// deferred are granted requests that go to the target before the program's own:
	// where a shell is the proxy's own, the target's never hears of its terminal.
	deferred []prepared
	// withdrawals end what the target may open because of this channel.
	withdrawals []func()

	// typed is the client's input.
	typed *input
	// running is what runs here; nil before.
	running *run
	// lines is the proxy's own shell, where that runs instead.
	lines *lineShell
	// started says that the one program was asked for, whatever became of it.
	started bool

	// stderr is held by whoever writes to the client's stderr, or ends its output, or gives
	// it a terminal.
	stderr sync.Mutex
	ended  bool
	// parting is why the channel ends, told once.
	parting sync.Once
	// flows says that a program runs.
	flows atomic.Bool
}

// prepared is a request that was granted.
type prepared struct {
	name    string
	payload []byte
}

func (c *connection) serveSession(asked ssh.NewChannel) {
	if c.noMore.Load() {
		_ = asked.Reject(ssh.Prohibited, "sallyport: the client has said that it opens no more sessions")
		return
	}
	if len(asked.ExtraData()) != 0 {
		_ = asked.Reject(ssh.ConnectionFailed, "sallyport: a session channel has no data of its own")
		return
	}
	client, requests, err := asked.Accept()
	if err != nil {
		return
	}
	s := &sessionChannel{connection: c, client: client, asked: requests}
	s.typed = newInput(s)
	defer s.typed.stop()
	c.add(s)
	s.serve()
	c.remove(s)
	for _, withdraw := range s.withdrawals {
		withdraw()
	}
	// Both ends are closed: what still runs here ends with them.
	_ = s.client.Close()
	if s.running != nil {
		s.running.abandon()
	}
	if s.target != nil {
		_ = s.target.Close()
	}
	if s.target != nil && s.running == nil {
		s.channels.Go(func() { ssh.DiscardRequests(s.fromTarget) })
	}
	if s.running != nil {
		s.await(s.running.over)
	}
	if s.lines != nil {
		s.lines.stop()
		s.await(s.lines.over)
	}
}

func (c *connection) add(s *sessionChannel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opened++
	s.number = c.opened
	c.programs[s] = struct{}{}
}

func (c *connection) remove(s *sessionChannel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.programs, s)
}

// serve answers requests until the client closes the channel.
func (s *sessionChannel) serve() {
	for {
		request, ok := s.next()
		if !ok {
			return
		}
		if !s.mayAsk() {
			continue
		}
		_ = request.Reply(s.answer(request), nil)
	}
}

func (s *sessionChannel) next() (*ssh.Request, bool) {
	if len(s.queued) > 0 {
		request := s.queued[0]
		s.queued = s.queued[1:]
		return request, true
	}
	if s.gone {
		return nil, false
	}
	request, ok := <-s.asked
	s.gone = !ok
	return request, ok
}

// answer does what a request asks for, and says whether it was done.
func (s *sessionChannel) answer(request *ssh.Request) bool {
	switch request.Type {
	case "pty-req":
		return s.openTerminal(request)
	case "env":
		return s.setVariable(request)
	case "x11-req":
		return s.forwardX11(request)
	case "auth-agent-req@openssh.com":
		return s.forwardAgent(request)
	case "shell", "exec", "subsystem":
		return s.start(request)
	case "window-change":
		return s.resize(request)
	case "signal":
		return s.signal(request)
	case "break", "eow@openssh.com":
		return s.pass(request)
	case keepalive:
		return true
	}
	kind := clean(request.Type)
	s.refuse(s.admitOrWhy(unknown(kind, "requests of this type are not known"), "request "+kind))
	return false
}

// admitted is admit, held if the policy says so: the client waits on its stderr, and may
// cancel.
func (s *sessionChannel) admitted(action policy.Action, text string) (session.Admission, error) {
	h := s.hold(&action)
	admission, err := s.admit(action, text, &h.Hold)
	h.over()
	return admission, err
}

func (s *sessionChannel) admitOrWhy(action policy.Action, text string) error {
	_, err := s.admitted(action, text)
	return err
}

// refuse tells the client why a request is not done.
func (s *sessionChannel) refuse(err error) {
	if words, ok := usable(err); ok {
		s.tell(words)
	}
}

// tell writes a line to the client's stderr, which a terminal shows too.
func (s *sessionChannel) tell(message string) {
	text := line(message)
	s.stderr.Lock()
	defer s.stderr.Unlock()
	if s.terminal != nil {
		// The client's terminal is raw: it needs both.
		text = "\r\n" + text[:len(text)-1] + "\r\n"
	}
	if !s.ended {
		_, _ = s.client.Stderr().Write([]byte(text))
	}
}

// goodbye tells the client why its channel ends, unless that was told, and closes it. One
// that does not read, or is in the middle of a flood, hears nothing: the end does not
// wait for it.
func (s *sessionChannel) goodbye(reason error) {
	s.parting.Do(func() {
		told := make(chan struct{})
		s.channels.Go(func() {
			defer close(told)
			s.tell(reason.Error())
			s.closeWrite()
		})
		patience := goodbyeTimeout
		if s.flows.Load() {
			patience = floodTimeout
		}
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-told:
		case <-timer.C:
		}
		_ = s.client.Close()
	})
}

// writeStderr writes to the client's stderr what the program says there.
func (s *sessionChannel) writeStderr(p []byte) (int, error) {
	s.stderr.Lock()
	defer s.stderr.Unlock()
	if s.ended {
		return 0, errEnded
	}
	return s.client.Stderr().Write(p)
}

var errEnded = errors.New("the output has ended")

// closeWrite ends the output, of stdout and stderr: SSH has one end for both.
func (s *sessionChannel) closeWrite() {
	s.stderr.Lock()
	defer s.stderr.Unlock()
	if !s.ended {
		s.ended = true
		_ = s.client.CloseWrite()
	}
}

// exits ends the channel with the proxy's own word on its program.
func (s *sessionChannel) exits(status uint32) {
	_, _ = s.client.SendRequest("exit-status", false, ssh.Marshal(&exitStatus{status}))
	s.closeWrite()
	_ = s.client.Close()
}

// reach opens the channel on the target, the first time that something goes there.
func (s *sessionChannel) reach() error {
	if s.target != nil {
		return nil
	}
	target, requests, err := s.up.Client.OpenChannel("session", nil)
	if err != nil {
		return err
	}
	s.target, s.fromTarget = target, s.alive(requests)
	return nil
}

// prepare hands on a granted request that comes before the program's own.
func (s *sessionChannel) prepare(request *ssh.Request, payload []byte) bool {
	if s.isRestricted() {
		s.deferred = append(s.deferred, prepared{request.Type, payload})
		return true
	}
	if err := s.reach(); err != nil {
		s.tell("the target opens no session: " + err.Error())
		return false
	}
	ok, err := s.target.SendRequest(request.Type, true, payload)
	return err == nil && ok
}

// isRestricted says that a shell is the proxy's own.
func (s *sessionChannel) isRestricted() bool {
	granted := s.session.State().Grant
	return granted == nil || granted.Policy.Grant.SSH == nil || granted.Policy.Grant.SSH.Shell == v1alpha1.ShellRestricted
}
