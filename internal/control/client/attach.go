package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/controlpb"
	"github.com/sallyport/sallyport/internal/grant"
)

// farewellWait is how long the manager may take to end the stream after Done.
const farewellWait = 2 * time.Second

var errSilent = errors.New("the manager said nothing for too long")

// attachment is one stream.
type attachment struct {
	client     *Client
	life       *life
	connection *connection
	stream     controlpb.Control_AttachClient

	hello time.Time
	// sequence is the newest heartbeat's, sent when each of the newest was sent.
	sequence uint64
	sent     map[uint64]time.Time
	// current says that the newest state from this replica was accepted.
	current bool
	state   grant.State
	// published is called when the manager has answered.
	published func()
}

type received struct {
	message *controlpb.ManagerMessage
	err     error
}

// attach keeps one stream until it breaks or the task has ended.
func (c *Client) attach(ctx context.Context, l *life) (err error) {
	connection, err := c.connect()
	if err != nil {
		return err
	}
	// The stream outlives ctx by the last report.
	streaming, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var incoming <-chan received
	var withdrawing sync.WaitGroup
	defer func() {
		c.withdraw()
		cancel()
		withdrawing.Wait()
		err = errors.Join(err, connection.grpc.Close())
		if incoming != nil {
			for range incoming { // until its goroutine has ended
			}
		}
	}()
	connecting := context.AfterFunc(ctx, cancel)
	stream, err := controlpb.NewControlClient(connection.grpc).Attach(streaming)
	if !connecting() || err != nil {
		return errors.Join(ctx.Err(), err)
	}
	a := &attachment{client: c, life: l, connection: connection, stream: stream, sent: map[uint64]time.Time{}}
	a.published = func() { withdrawing.Go(func() { c.withdrawLeftBehind(streaming) }) }
	incoming = receive(streaming, stream)
	if err = a.greet(); err == nil {
		err = a.run(ctx, incoming)
	}
	return a.why(err, incoming)
}

// receive hands on what the manager says, then the error that ended it.
func receive(ctx context.Context, stream controlpb.Control_AttachClient) <-chan received {
	incoming := make(chan received)
	go func() {
		defer close(incoming)
		for {
			message, err := stream.Recv()
			select {
			case incoming <- received{message, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return incoming
}

// why replaces the io.EOF of a failed Send by what the manager said.
func (a *attachment) why(err error, incoming <-chan received) error {
	if !errors.Is(err, io.EOF) {
		return err
	}
	return last(incoming)
}

// last waits, for a moment, for the error that ends the stream.
func last(incoming <-chan received) error {
	timer := time.NewTimer(farewellWait)
	defer timer.Stop()
	for {
		select {
		case r, ok := <-incoming:
			if !ok {
				return io.ErrUnexpectedEOF
			}
			if r.err != nil {
				return r.err
			}
		case <-timer.C:
			return errSilent
		}
	}
}

func (a *attachment) greet() error {
	a.hello = a.client.now()
	if err := a.stream.Send(&controlpb.ProxyMessage{Message: &controlpb.ProxyMessage_Hello{Hello: &controlpb.Hello{
		Version: a.client.version, SigningRequest: a.client.request, SealingKey: a.client.opener.Public(),
	}}}); err != nil {
		return err
	}
	if err := a.tell(); err != nil {
		return err
	}
	return a.ping()
}

// tell sends the newest report, if there is one.
func (a *attachment) tell() error {
	report := a.client.newestReport()
	if report == nil {
		return nil
	}
	return a.stream.Send(&controlpb.ProxyMessage{Message: &controlpb.ProxyMessage_Report{Report: control.EncodeReport(*report)}})
}

// ping sends a heartbeat. Its moment counts as contact once the answer has come: what
// the manager confirms, it has read after that.
func (a *attachment) ping() error {
	a.sequence++
	a.sent[a.sequence] = a.client.now()
	delete(a.sent, a.sequence-32)
	return a.stream.Send(&controlpb.ProxyMessage{Message: &controlpb.ProxyMessage_Heartbeat{
		Heartbeat: &controlpb.Heartbeat{Sequence: a.sequence},
	}})
}

func (a *attachment) run(ctx context.Context, incoming <-chan received) error {
	silence := time.NewTimer(a.client.timing.Silence)
	defer silence.Stop()
	beat := time.NewTimer(a.client.beat(a.state))
	defer beat.Stop()
	for {
		select {
		case r := <-incoming:
			if r.err != nil {
				return r.err
			}
			silence.Reset(a.client.timing.Silence)
			before := a.client.beat(a.state)
			if err := a.hear(r.message); err != nil {
				return err
			}
			if a.life.phase == grant.Ended {
				return a.bid(incoming)
			}
			if now := a.client.beat(a.state); now != before {
				beat.Reset(now)
			}
		case <-a.client.wake:
			if err := a.tell(); err != nil {
				return err
			}
		case <-beat.C:
			if err := a.ping(); err != nil {
				return err
			}
			beat.Reset(a.client.beat(a.state))
		case <-silence.C:
			return errSilent
		case <-ctx.Done():
			return errors.Join(ctx.Err(), a.leave(incoming))
		}
	}
}

func (a *attachment) hear(message *controlpb.ManagerMessage) error {
	switch m := message.GetMessage().(type) {
	case *controlpb.ManagerMessage_Certificate:
		a.client.publish(a.connection)
		a.published()
		return a.client.install(m.Certificate.GetCertificate())
	case *controlpb.ManagerMessage_State:
		return a.take(m.State)
	case *controlpb.ManagerMessage_Heartbeat:
		if at, ok := a.sent[m.Heartbeat.GetSequence()]; ok && a.current {
			a.client.confirmed(at)
		}
	}
	return nil
}

func (a *attachment) take(encoded *controlpb.State) error {
	state, err := control.DecodeState(encoded, a.client.opener)
	if err != nil {
		return err
	}
	if a.current, err = a.life.accept(state); err != nil {
		return err
	}
	if !a.current {
		a.client.log.Info("ignored a state that is older than ours", "phase", state.Phase)
		return nil
	}
	// It was read after our Hello.
	a.client.confirmed(a.hello)
	a.state, a.life.phase = state, state.Phase
	a.life.update(state)
	return nil
}

// leave delivers the last report of a proxy that stops before its task does.
func (a *attachment) leave(incoming <-chan received) error {
	if err := a.tell(); err != nil {
		return err
	}
	if err := a.stream.CloseSend(); err != nil {
		return err
	}
	if err := last(incoming); status.Code(err) != codes.Canceled {
		return err
	}
	return nil
}

// bid delivers the last report of a task that has ended, says Done, and waits for the
// manager to end the stream.
func (a *attachment) bid(incoming <-chan received) error {
	if err := a.tell(); err != nil {
		return err
	}
	if err := a.stream.Send(&controlpb.ProxyMessage{Message: &controlpb.ProxyMessage_Done{Done: &controlpb.Done{}}}); err != nil {
		return err
	}
	if err := a.stream.CloseSend(); err != nil {
		return err
	}
	if err := last(incoming); !errors.Is(err, io.EOF) {
		return fmt.Errorf("the manager did not take the last report: %w", err)
	}
	a.life.bid = true
	return nil
}
