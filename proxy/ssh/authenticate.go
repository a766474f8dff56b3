package ssh

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/proxy/session"
)

const (
	// serverVersion is what clients see (RFC 4253 section 4.2).
	serverVersion = "SSH-2.0-Sallyport"
	// maxOffers bounds the keys that a client may offer, and what it may try beside: an
	// agent has many. How often it may fail to prove one is the session's to say.
	maxOffers = 20
	// maxLogin bounds the name that a client wants to be.
	maxLogin = 64
)

// arrived is a client that is in, and its way to the target.
type arrived struct {
	client   *ssh.ServerConn
	channels <-chan ssh.NewChannel
	requests <-chan *ssh.Request
	login    string
	up       *Upstream
}

// arrival is a client on its way in.
type arrival struct {
	ctx     context.Context
	session *session.Session
	leg     *clientLeg
	pre     ssh.ServerPreAuthConn
	up      *Upstream
	// failure is why it may not come in.
	failure error
}

// welcome is everything up to the end of authentication (RFC 4252): who the client is,
// the wait for the grant, the way to the target. All of it happens before the client
// hears that it is in, for only until then can it be told anything (section 5.4).
func (e *Engine) welcome(ctx context.Context, leg *clientLeg, s *session.Session) (*arrived, error) {
	key, err := s.HostKey(ctx)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey([]byte(key.Reveal()))
	if err != nil {
		// The parser's words might quote what it read.
		return nil, errors.New("the task has no host key for SSH")
	}
	a := &arrival{ctx: ctx, session: s, leg: leg}
	config := &ssh.ServerConfig{
		Config:                      algorithms(true, e.options.RekeyThreshold),
		ServerVersion:               serverVersion,
		MaxAuthTries:                maxOffers,
		PublicKeyAuthAlgorithms:     clientKeys,
		PublicKeyCallback:           a.offered,
		VerifiedPublicKeyCallback:   a.proved,
		KeyboardInteractiveCallback: a.asked,
		PreAuthConnCallback:         func(conn ssh.ServerPreAuthConn) { a.pre = conn },
	}
	config.AddHostKey(signer)
	client, channels, requests, err := ssh.NewServerConn(leg, config)
	switch {
	case a.failure != nil:
		return nil, a.failure
	case err != nil && context.Cause(ctx) != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, fmt.Errorf("the client did not authenticate: %w", err)
	}
	return &arrived{client, channels, requests, client.User(), a.up}, nil
}

// offered answers a client that asks whether a key would do (RFC 4252 section 7). It
// takes nothing for true: what is offered is not proved (CVE-2024-45337).
func (a *arrival) offered(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	if !a.session.Names(key) {
		return nil, session.ErrNotRequester
	}
	return nil, nil
}

// proved is called with the one key whose signature was good.
func (a *arrival) proved(conn ssh.ConnMetadata, key ssh.PublicKey, _ *ssh.Permissions, _ string) (*ssh.Permissions, error) {
	if err := a.session.AuthenticateKey(a.ctx, key); err != nil {
		return nil, a.failed(err)
	}
	return nil, a.enter(conn)
}

// asked is keyboard-interactive authentication (RFC 4256): a token, as a person or a
// program would type it.
func (a *arrival) asked(conn ssh.ConnMetadata, challenge ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
	task := a.session.State().Task
	instruction := ""
	if task.Request != "" {
		instruction = clean("sallyport: bring a key that request " + task.Request + " names, or a token made for it")
	}
	answers, err := challenge("", instruction, []string{"Token: "}, []bool{false})
	if err != nil {
		return nil, err
	}
	if err := a.session.AuthenticateToken(a.ctx, grant.Secret(strings.TrimSpace(answers[0]))); err != nil {
		return nil, a.failed(err)
	}
	return nil, a.enter(conn)
}

// failed is a client that may try again, unless it has tried too often.
func (a *arrival) failed(err error) error {
	if errors.Is(err, session.ErrTooManyAttempts) || context.Cause(a.ctx) != nil {
		return a.refuse(err)
	}
	return &ssh.BannerError{Err: err, Message: line(err.Error())}
}

// enter brings a client in that has proved who it is.
func (a *arrival) enter(conn ssh.ConnMetadata) error {
	// From here on the client is told why its session ends, before it is cut.
	a.leg.keep.Store(true)
	if err := a.reach(conn); err != nil {
		return a.refuse(err)
	}
	return nil
}

func (a *arrival) reach(conn ssh.ConnMetadata) error {
	login := conn.User()
	if len(login) > maxLogin {
		return fmt.Errorf("a login of %d characters", len(login))
	}
	attributes := map[string]string{"user": clean(login), "client": clean(string(conn.ClientVersion()))}
	if err := a.session.Begin(a.ctx, attributes); err != nil {
		return err
	}
	if err := a.session.AwaitGrant(a.ctx, func(message string) error { return a.pre.SendAuthBanner(line(message)) }); err != nil {
		return err
	}
	state := a.session.State()
	if state.Grant == nil || state.Grant.Policy.Grant.SSH == nil {
		return session.ErrNotGranted
	}
	if logins := state.Grant.Policy.Grant.SSH.Logins; !slices.Contains(logins, login) {
		return fmt.Errorf("the grant is not for login %s: log in as %s", login, strings.Join(logins, " or "))
	}
	up, err := a.session.Dial(a.ctx, map[string]string{"user": login})
	if err != nil {
		return err
	}
	var ok bool
	if a.up, ok = up.(*Upstream); !ok {
		return errors.New("the way to the target speaks another protocol")
	}
	return nil
}

// refuse tells a client why it may not come in, and ends its connection.
func (a *arrival) refuse(err error) error {
	if cause := context.Cause(a.ctx); cause != nil {
		err = cause
	}
	a.failure = err
	if !errors.Is(err, errLeft) {
		_ = a.pre.SendAuthBanner(line(err.Error()))
	}
	_ = a.leg.Close()
	return err
}
