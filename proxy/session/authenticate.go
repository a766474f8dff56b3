package session

import (
	"context"
	"crypto"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/grant"
)

// maxFailures is how often one connection may fail to authenticate.
const maxFailures = 3

// AuthenticateKey takes a client that has proved possession of key, if the
// request names that key. It is an ssh.PublicKey or a key of a TLS certificate.
func (s *Session) AuthenticateKey(ctx context.Context, key crypto.PublicKey) error {
	if err := s.mayTry(ctx); err != nil {
		return err
	}
	proved, err := plainKey(key)
	if err != nil {
		return s.failed(err)
	}
	if !names(s.task.State().Task.ClientKeys, proved) {
		return s.failed(fmt.Errorf("%w: the request does not name key %s", ErrNotRequester, ssh.FingerprintSHA256(proved)))
	}
	s.proved("key " + ssh.FingerprintSHA256(proved))
	return nil
}

// AuthenticateToken asks the manager whose token it is; only the requester's,
// for this very request, is taken. Callers have checked that TLS is on.
func (s *Session) AuthenticateToken(ctx context.Context, token grant.Secret) error {
	if err := s.mayTry(ctx); err != nil {
		return err
	}
	if s.task.options.Authenticate == nil || token == "" {
		return s.failed(ErrNotAuthenticated)
	}
	if err := s.task.tokens.Wait(ctx); err != nil {
		return s.failed(fmt.Errorf("%w: %w", ErrTooManyAttempts, err))
	}
	username, err := s.task.options.Authenticate(ctx, token)
	if err != nil {
		return s.failed(fmt.Errorf("%w: %w", ErrNotAuthenticated, err))
	}
	if requester := s.task.State().Task.Requester; username == "" || username != requester {
		return s.failed(fmt.Errorf("%w: the token is %s's", ErrNotRequester, username))
	}
	s.proved("token")
	return nil
}

// Names says whether the request names the key. It is for protocols whose clients ask
// before they prove that a key is theirs, and proves nothing: AuthenticateKey does.
func (s *Session) Names(key crypto.PublicKey) bool {
	plain, err := plainKey(key)
	return err == nil && names(s.task.State().Task.ClientKeys, plain)
}

// HostKey is the task's private key for SSH, once the task is known.
func (s *Session) HostKey(ctx context.Context) (grant.Secret, error) {
	state, err := s.known(ctx)
	return state.HostKey, err
}

// known waits until the task is known: a client may come before the first state.
func (s *Session) known(ctx context.Context) (grant.State, error) {
	for {
		state, changed := s.task.newest()
		if err := errors.Join(context.Cause(s.context), context.Cause(ctx)); err != nil {
			return state, err
		}
		if state.Task.RequestUID != "" {
			return state, nil
		}
		select {
		case <-changed:
		case <-s.context.Done():
		case <-ctx.Done():
		}
	}
}

func (s *Session) mayTry(ctx context.Context) error {
	if _, err := s.known(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures >= maxFailures {
		return ErrTooManyAttempts
	}
	return nil
}

func (s *Session) proved(proof string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proof = proof
}

func (s *Session) failed(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures++
	s.task.options.Log.Info("A client did not authenticate", "session", s.id, "remote", s.remote.String(), "reason", err.Error())
	return err
}
