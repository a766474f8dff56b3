package ssh

import (
	"fmt"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
)

// malformed is a request that cannot be read.
func (s *sessionChannel) malformed(request *ssh.Request, err error) bool {
	s.refuse(s.admitOrWhy(unknown(request.Type, err.Error()), request.Type))
	return false
}

// late is a request that comes when the program runs, or a second time.
func (s *sessionChannel) late(request *ssh.Request) bool {
	s.refuse(s.admitOrWhy(unknown(request.Type, "it comes too late, or twice"), request.Type))
	return false
}

func (s *sessionChannel) openTerminal(request *ssh.Request) bool {
	var asked ptyRequest
	if err := read(request.Payload, &asked); err != nil {
		return s.malformed(request, err)
	}
	if s.started || s.terminal != nil {
		return s.late(request)
	}
	text := fmt.Sprintf("pty-req %s %dx%d", clean(asked.Term), asked.Columns, asked.Rows)
	if err := s.admitOrWhy(policy.Action{Kind: "terminal", SSH: &policy.SSHAction{Name: clean(asked.Term)}}, text); err != nil {
		s.refuse(err)
		return false
	}
	if !s.prepare(request, ssh.Marshal(&asked)) {
		return false
	}
	s.stderr.Lock()
	defer s.stderr.Unlock()
	s.terminal = &asked
	return true
}

// setVariable says nothing where it refuses: clients send their locale unasked.
func (s *sessionChannel) setVariable(request *ssh.Request) bool {
	var asked envRequest
	if err := read(request.Payload, &asked); err != nil {
		return s.malformed(request, err)
	}
	if s.environment++; s.started || s.environment > maxEnvironment {
		return s.late(request)
	}
	action := policy.Action{Kind: request.Type, SSH: &policy.SSHAction{Name: asked.Name, Value: asked.Value}}
	if err := s.admitOrWhy(action, asked.Name+"="+asked.Value); err != nil {
		return false
	}
	return s.prepare(request, ssh.Marshal(&asked))
}

func (s *sessionChannel) forwardX11(request *ssh.Request) bool {
	var asked x11Request
	if err := read(request.Payload, &asked); err != nil {
		return s.malformed(request, err)
	}
	if s.started || len(s.withdrawals) >= maxEnvironment {
		return s.late(request)
	}
	admission, err := s.admitted(policy.Action{Kind: "x11-forward", SSH: &policy.SSHAction{FromTarget: true}}, "x11-req")
	if err != nil {
		s.refuse(err)
		return false
	}
	return s.permit(request, ssh.Marshal(&asked), s.displays.allow(admission.Operation, asked.Single))
}

func (s *sessionChannel) forwardAgent(request *ssh.Request) bool {
	if len(request.Payload) != 0 {
		return s.malformed(request, fmt.Errorf("it has %d bytes that mean nothing", len(request.Payload)))
	}
	if s.started || len(s.withdrawals) >= maxEnvironment {
		return s.late(request)
	}
	admission, err := s.admitted(policy.Action{Kind: "agent-forward", SSH: &policy.SSHAction{FromTarget: true}}, request.Type)
	if err != nil {
		s.refuse(err)
		return false
	}
	return s.permit(request, nil, s.agents.allow(admission.Operation, false))
}

// permit hands on a request because of which the target opens channels, for as long as
// this one is open.
func (s *sessionChannel) permit(request *ssh.Request, payload []byte, withdraw func()) bool {
	if !s.prepare(request, payload) {
		withdraw()
		return false
	}
	s.withdrawals = append(s.withdrawals, withdraw)
	return true
}

// resize is of the terminal that was granted.
func (s *sessionChannel) resize(request *ssh.Request) bool {
	var size windowChange
	if s.terminal == nil || read(request.Payload, &size) != nil {
		return false
	}
	if s.lines != nil {
		// It reads the terminal that it began with, and keeps the newest size itself.
		s.lines.resized(size)
		return true
	}
	s.terminal.Columns, s.terminal.Rows, s.terminal.Width, s.terminal.Height = size.Columns, size.Rows, size.Width, size.Height
	switch {
	case s.running != nil:
		s.running.resized(size)
	case s.target != nil:
		_, err := s.target.SendRequest(request.Type, false, ssh.Marshal(&size))
		return err == nil
	default:
		for i := range s.deferred {
			if s.deferred[i].name == "pty-req" {
				s.deferred[i].payload = ssh.Marshal(s.terminal)
			}
		}
	}
	return true
}

// signal is for the program that runs.
func (s *sessionChannel) signal(request *ssh.Request) bool {
	var asked signalRequest
	if err := read(request.Payload, &asked); err != nil {
		return s.malformed(request, err)
	}
	if s.running == nil || s.target == nil {
		return false
	}
	if err := s.admitOrWhy(policy.Action{Kind: request.Type, SSH: &policy.SSHAction{Name: asked.Signal}}, "signal "+clean(asked.Signal)); err != nil {
		s.refuse(err)
		return false
	}
	_, err := s.target.SendRequest(request.Type, false, ssh.Marshal(&asked))
	return err == nil
}

// pass hands on what means something to a program that runs, and nothing else: a break
// (RFC 4335), which is judged as a signal, and that the client reads no more.
func (s *sessionChannel) pass(request *ssh.Request) bool {
	if s.running == nil || s.target == nil || len(request.Payload) > 4 {
		return false
	}
	if request.Type == "break" {
		if err := s.admitOrWhy(policy.Action{Kind: "signal", SSH: &policy.SSHAction{Name: "BREAK"}}, request.Type); err != nil {
			s.refuse(err)
			return false
		}
	}
	ok, err := s.target.SendRequest(request.Type, request.WantReply, request.Payload)
	return err == nil && ok
}

// sized records a terminal's size.
func (r *run) sized(columns, rows uint32) {
	const most = 1 << 16
	err := r.session.Terminal(r.ctx, record.Terminal{
		Operation: r.operation, Kind: "resize", Cols: int(min(columns, most)), Rows: int(min(rows, most)),
	})
	if err != nil {
		r.end(err)
	}
}
