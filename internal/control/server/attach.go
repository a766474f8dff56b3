package server

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/controlpb"
	"github.com/sallyport/sallyport/internal/grant"
)

// errLifetime ends a life line that has lived long enough.
var errLifetime = errors.New("prove yourself anew")

// sendWait is how long a proxy may leave a message unread.
const sendWait = 10 * time.Second

// attachment is one proxy's life line.
type attachment struct {
	server *Server
	caller caller
	log    logr.Logger

	incoming <-chan *controlpb.ProxyMessage
	outgoing chan<- *controlpb.ManagerMessage
	reports  *reporter
	// pace bounds all messages, beats those that make us read the state.
	pace, beats *rate.Limiter

	sealer  *control.Sealer
	request []byte // the proxy's certificate signing request
	renewAt time.Time

	sent  fingerprint
	phase grant.Phase
	// failing is since when the state could not be read; zero when it can.
	failing  time.Time
	failures int
}

// Attach implements the contract.
func (s *Server) Attach(stream controlpb.Control_AttachServer) error {
	c, err := callerOf(stream.Context())
	if err != nil {
		return err
	}
	if !s.attaching.allow(c.requestUID) {
		return status.Error(codes.ResourceExhausted, "attached too often: wait a little")
	}
	ctx, end := context.WithCancelCause(stream.Context())
	defer end(nil)
	ctx, cancel := context.WithTimeoutCause(ctx, s.timing.Lifetime, errLifetime)
	defer cancel()
	defer s.lines.take(c.requestUID, end)()

	incoming := s.receive(ctx, stream, end)
	outgoing, sent := s.send(stream, end)
	log := s.log.WithValues("request", c.requestUID, "pod", c.pod.Name)
	a := &attachment{
		server: s, caller: c, log: log, incoming: incoming, outgoing: outgoing,
		reports: newReporter(s.provider, c.requestUID, s.timing.Read, log),
		pace:    rate.NewLimiter(20, 60), beats: rate.NewLimiter(2, 4),
	}
	log.V(1).Info("proxy attached", "podUID", c.pod.UID)
	err = a.run(ctx)
	// A newer life line brings newer reports.
	a.reports.finish(!errors.Is(context.Cause(ctx), errReplaced))
	close(outgoing)
	// What is queued, grant.Ended above all, still leaves; an unread one does not hold us.
	select {
	case <-sent:
	case <-ctx.Done():
	case <-time.After(time.Second):
	}
	log.V(1).Info("proxy detached", "reason", reasonOf(err))
	return err
}

// receive hands on what the proxy says. gRPC ends the goroutine's Recv when the
// handler has returned.
func (s *Server) receive(ctx context.Context, stream controlpb.Control_AttachServer, end context.CancelCauseFunc) <-chan *controlpb.ProxyMessage {
	incoming := make(chan *controlpb.ProxyMessage)
	s.streams.Go(func() {
		for {
			message, err := stream.Recv()
			if err != nil {
				end(err)
				return
			}
			select {
			case incoming <- message:
			case <-ctx.Done():
				return
			}
		}
	})
	return incoming
}

// send writes what is queued, so that a proxy that does not read blocks this goroutine
// alone, until the handler's return ends the stream.
func (s *Server) send(stream controlpb.Control_AttachServer, end context.CancelCauseFunc) (chan<- *controlpb.ManagerMessage, <-chan struct{}) {
	queue, done := make(chan *controlpb.ManagerMessage, 4), make(chan struct{})
	s.streams.Go(func() {
		defer close(done)
		for message := range queue {
			if err := stream.Send(message); err != nil {
				end(err)
				for range queue { // until the handler closes it
				}
				return
			}
		}
	})
	return queue, done
}

func (a *attachment) run(ctx context.Context) error {
	timing := a.server.timing
	if err := a.greet(ctx); err != nil {
		return err
	}
	changed, unsubscribe := a.server.provider.Subscribe(a.caller.requestUID)
	defer unsubscribe()
	silence := time.NewTimer(timing.Silence)
	defer silence.Stop()
	retry := time.NewTimer(0)
	defer retry.Stop()
	var drained <-chan time.Time

	for {
		select {
		case <-changed:
			retry.Reset(0)
			continue
		case <-retry.C:
			if err := a.refresh(ctx); err != nil {
				return err
			}
		case message := <-a.incoming:
			silence.Reset(timing.Silence)
			done, err := a.hear(ctx, message)
			if done || err != nil {
				return err
			}
		case <-silence.C:
			return status.Error(codes.DeadlineExceeded, "the proxy fell silent")
		case <-drained:
			return nil
		case <-a.server.stopping:
			return status.Error(codes.Unavailable, "this manager is stopping")
		case <-ctx.Done():
			return ended(ctx)
		}
		if a.failures > 0 {
			retry.Reset(a.backoff())
		}
		if a.phase == grant.Ended && drained == nil {
			drained = time.After(timing.Drain)
		}
	}
}

// hear acts on one message; done says that the proxy has nothing more to say.
func (a *attachment) hear(ctx context.Context, message *controlpb.ProxyMessage) (done bool, err error) {
	if !a.pace.Allow() {
		return false, status.Error(codes.ResourceExhausted, "too many messages")
	}
	switch m := message.GetMessage().(type) {
	case *controlpb.ProxyMessage_Report:
		report, err := control.DecodeReport(m.Report)
		if err != nil {
			return false, status.Error(codes.InvalidArgument, err.Error())
		}
		a.reports.put(report)
	case *controlpb.ProxyMessage_Heartbeat:
		return false, a.confirm(ctx, m.Heartbeat)
	case *controlpb.ProxyMessage_Done:
		return a.phase == grant.Ended, nil
	default:
		return false, status.Error(codes.InvalidArgument, "a message that this manager does not know")
	}
	return false, nil
}

// confirm answers a heartbeat once pod and state have been read again; while they
// cannot be, it is silent, and the proxy's clock runs.
func (a *attachment) confirm(ctx context.Context, beat *controlpb.Heartbeat) error {
	if !a.beats.Allow() {
		return nil
	}
	if _, err := a.server.callers.resolve(ctx, a.caller.pod); err != nil {
		if status.Code(err) == codes.PermissionDenied {
			return err
		}
		return a.failed(err)
	}
	if err := a.refresh(ctx); err != nil || a.failures > 0 {
		return err
	}
	return a.send(ctx, &controlpb.ManagerMessage{Message: &controlpb.ManagerMessage_Heartbeat{
		Heartbeat: &controlpb.Heartbeat{Sequence: beat.GetSequence()},
	}})
}

func (a *attachment) send(ctx context.Context, message *controlpb.ManagerMessage) error {
	timer := time.NewTimer(sendWait)
	defer timer.Stop()
	select {
	case a.outgoing <- message:
		return nil
	case <-timer.C:
		return status.Error(codes.DeadlineExceeded, "the proxy does not read")
	case <-ctx.Done():
		return ended(ctx)
	}
}

// ended is the status for a stream whose context is over.
func ended(ctx context.Context) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errReplaced):
		return status.Error(codes.Aborted, cause.Error())
	case errors.Is(cause, errLifetime):
		return status.Error(codes.Unavailable, cause.Error())
	}
	return status.Error(codes.Canceled, "the proxy left")
}

func reasonOf(err error) string {
	if err == nil {
		return "the task has ended"
	}
	return status.Convert(err).Message()
}
