package server

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/controlpb"
	"github.com/sallyport/sallyport/internal/grant"
)

// helloWait is how long a proxy may take to say who it is.
const helloWait = 10 * time.Second

// fingerprint tells whether a state has changed, without keeping its secrets.
type fingerprint [sha256.Size]byte

func fingerprintOf(state grant.State) (fingerprint, error) {
	encoded, err := json.Marshal(state)
	if err != nil {
		return fingerprint{}, errors.New("fingerprint a state: encode it")
	}
	return sha256.Sum256(encoded), nil
}

// greet waits for the Hello, and answers with the task's certificate.
func (a *attachment) greet(ctx context.Context) error {
	timer := time.NewTimer(helloWait)
	defer timer.Stop()
	var hello *controlpb.Hello
	select {
	case message := <-a.incoming:
		hello = message.GetHello()
	case <-timer.C:
	case <-ctx.Done():
		return ended(ctx)
	}
	if hello == nil {
		return status.Error(codes.InvalidArgument, "a proxy says Hello first")
	}
	sealer, err := control.NewSealer(hello.GetSealingKey())
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	a.sealer, a.request = sealer, hello.GetSigningRequest()
	return a.certify(ctx)
}

// certify sends a certificate, and remembers when the next is due.
func (a *attachment) certify(ctx context.Context) error {
	now := a.server.now()
	der, err := a.server.keys.SignTask(a.caller.requestUID, a.request, now, time.Time{})
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	if a.renewAt, err = renewal(der, now); err != nil {
		return status.Error(codes.Internal, "read the certificate just made")
	}
	return a.send(ctx, &controlpb.ManagerMessage{Message: &controlpb.ManagerMessage_Certificate{
		Certificate: &controlpb.Certificate{Certificate: der},
	}})
}

// refresh reads the state, and sends it if it is another than the proxy has. A state
// that cannot be read changes nothing; only when that has lasted does it end the
// stream, so that the proxy tries another replica.
func (a *attachment) refresh(ctx context.Context) error {
	if a.phase == grant.Ended {
		return nil
	}
	if !a.server.now().Before(a.renewAt) {
		if err := a.certify(ctx); err != nil {
			return err
		}
	}
	state, err := a.read(ctx)
	if err != nil {
		return a.failed(err)
	}
	now, err := fingerprintOf(state)
	if err != nil {
		return a.failed(err)
	}
	if now == a.sent {
		a.failing, a.failures = time.Time{}, 0
		return nil
	}
	encoded, err := control.EncodeState(state, a.sealer)
	if err != nil {
		return a.failed(err)
	}
	if err := a.send(ctx, &controlpb.ManagerMessage{Message: &controlpb.ManagerMessage_State{State: encoded}}); err != nil {
		return err
	}
	a.log.V(1).Info("told the proxy", "phase", state.Phase)
	a.sent, a.phase = now, state.Phase
	a.failing, a.failures = time.Time{}, 0
	return nil
}

func (a *attachment) read(ctx context.Context) (grant.State, error) {
	ctx, cancel := context.WithTimeout(ctx, a.server.timing.Read)
	defer cancel()
	state, err := a.server.provider.State(ctx, a.caller.requestUID)
	if err != nil {
		return grant.State{}, err
	}
	if state.Task.RequestUID != a.caller.requestUID {
		return grant.State{}, fmt.Errorf("the state is of request %s, not of the caller's", state.Task.RequestUID)
	}
	return state, nil
}

// failed notes that the state could not be read.
func (a *attachment) failed(err error) error {
	now := a.server.now()
	if a.failures == 0 {
		a.failing = now
	}
	a.failures++
	a.log.Error(err, "could not read a task's state; its proxy stays as it is", "failures", a.failures)
	if now.Sub(a.failing) >= a.server.timing.Hold {
		return status.Error(codes.Unavailable, "this manager cannot read the task's state: try another")
	}
	return nil
}

// backoff is the wait before the state is read again after failures.
func (a *attachment) backoff() time.Duration {
	return min(200*time.Millisecond<<min(a.failures, 5), 5*time.Second)
}
