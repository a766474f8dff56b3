package ssh

import (
	"errors"
	"slices"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/ssh/argv"
)

// start is the one request that runs something on the channel: a shell, a command, or a
// subsystem (RFC 4254 section 6.5).
func (s *sessionChannel) start(request *ssh.Request) bool {
	// First: to read a program may take questions to the target.
	if s.started {
		return s.late(request)
	}
	action, text, payload, err := s.readProgram(request)
	if err != nil {
		return s.malformed(request, err)
	}
	h := s.hold(&action)
	admission, err := s.admit(action, text, &h.Hold)
	h.over()
	s.started = true
	if err == nil && h.released != nil && !s.leadsStill(request, action) {
		s.result(admission.Operation, "not run", 0, errChanged)
		err = errChanged
	}
	if err != nil {
		return s.refuseProgram(request, err)
	}
	p := program{kind: action.Kind, request: prepared{request.Type, payload}, operation: admission.Operation, counted: s.isTyped(action.Kind)}
	if action.Kind == kindShell && s.isRestricted() {
		return s.runRestricted(p)
	}
	return s.run(p)
}

// errChanged is a program whose paths led elsewhere when it was approved.
var errChanged = errors.New("what was approved has changed while it waited")

// leadsStill says whether a program that was held would touch what its reviewers saw.
func (s *sessionChannel) leadsStill(request *ssh.Request, approved policy.Action) bool {
	if len(approved.SSH.Files) == 0 && approved.SSH.Repository == "" {
		return true
	}
	now, _, _, err := s.readProgram(request)
	return err == nil && now.Unknown == "" && now.SSH.Repository == approved.SSH.Repository && slices.Equal(now.SSH.Files, approved.SSH.Files)
}

// kindShell and the like are kinds of actions.
const (
	kindShell = "shell"
	kindSFTP  = "sftp"
)

// readProgram says what a request would run.
func (s *sessionChannel) readProgram(request *ssh.Request) (action policy.Action, text string, payload []byte, err error) {
	switch request.Type {
	case kindShell:
		if len(request.Payload) != 0 {
			return action, "", nil, errors.New("it is malformed")
		}
		return policy.Action{Kind: kindShell, SSH: &policy.SSHAction{Terminal: s.terminal != nil}}, kindShell, nil, nil
	case "subsystem":
		var asked subsystemRequest
		if err := read(request.Payload, &asked); err != nil {
			return action, "", nil, err
		}
		kind := request.Type
		if asked.Name == kindSFTP {
			kind = kindSFTP
		}
		return policy.Action{Kind: kind, SSH: &policy.SSHAction{Name: asked.Name, Terminal: s.terminal != nil}},
			"subsystem " + clean(asked.Name), ssh.Marshal(&asked), nil
	}
	var asked execRequest
	if err := read(request.Payload, &asked); err != nil {
		return action, "", nil, err
	}
	action = s.readCommand(asked.Command, s.terminal != nil)
	return action, asked.Command, ssh.Marshal(&asked), nil
}

// isTyped says that what the client sends may be typed by a person, and so have
// passwords in it: it is counted, and neither kept nor hashed.
func (s *sessionChannel) isTyped(kind string) bool { return kind == kindShell || s.terminal != nil }

// refuseProgram tells the client why its program does not run. Commands and shells end
// with a status that scripts understand; what speaks a protocol of its own must hear at
// once that there is nobody to speak with.
func (s *sessionChannel) refuseProgram(request *ssh.Request, err error) bool {
	words, ok := usable(err)
	if s.gone {
		return false
	}
	if !ok {
		s.goodbye(err)
		return false
	}
	_ = request.Reply(true, nil)
	var asked execRequest
	if request.Type == "exec" && read(request.Payload, &asked) == nil {
		// Why a program needs more than its paths, and what to do about it.
		if why := argv.Classify(argv.Parse(asked.Command)).Anywhere; why != "" && !errors.Is(err, session.ErrWithdrawn) {
			words += "; " + why
		}
	}
	s.tell(words)
	status := uint32(refusedStatus)
	if errors.Is(err, session.ErrWithdrawn) {
		status = cancelledStatus
	}
	s.exits(status)
	return true
}

// run starts a program that was granted.
func (s *sessionChannel) run(p program) bool {
	if err := s.open(p.request); err != nil {
		s.result(p.operation, "", 0, err)
		s.tell(err.Error())
		return false
	}
	s.flows.Store(true)
	s.running = newRun(s, s.target, s.fromTarget, p)
	s.running.start()
	return true
}

// open asks the target for a program, after what comes before it.
func (s *sessionChannel) open(request prepared) error {
	if err := s.reach(); err != nil {
		return errors.New("the target opens no session: " + err.Error())
	}
	for _, before := range s.deferred {
		if _, err := s.target.SendRequest(before.name, true, before.payload); err != nil {
			return err
		}
	}
	s.deferred = nil
	ok, err := s.target.SendRequest(request.name, true, request.payload)
	switch {
	case err != nil:
		return errors.New("the target closed the channel")
	case !ok:
		return errors.New("the target refuses the request " + request.name)
	}
	return nil
}

// full says that the policy keeps what commands answer.
func (s *sessionChannel) full() bool {
	granted := s.session.State().Grant
	return granted == nil || granted.Policy.Recording.Output == v1alpha1.OutputFull
}
