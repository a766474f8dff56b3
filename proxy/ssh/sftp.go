package ssh

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/session"
	"github.com/sallyport/sallyport/proxy/ssh/sftp"
)

// relaySFTP judges every request of an sftp channel.
func (r *run) relaySFTP() error {
	if r.terminal != nil {
		return errTerminal
	}
	relay := sftp.New(r.ctx, sftp.Config{Client: r.client, Target: r.target, Gate: newFileGate(r), CloseTarget: r.target.CloseWrite})
	r.channels.Go(func() {
		if err := relay.ServeClient(); err != nil {
			r.tell("the sftp session ends: " + err.Error())
			r.closeTarget()
		}
	})
	return r.withStderr(relay.ServeTarget)
}

var errTerminal = fmt.Errorf("a terminal would spoil the files: ask for none (ssh -T)")

// withStderr hands on what the program says beside what relay hands on.
func (r *run) withStderr(relay func() error) error {
	over := make(chan struct{})
	go r.caught(func() {
		defer close(over)
		_ = r.relayOutput(r.outlet(writerFunc(r.writeStderr)), r.target.Stderr())
	})()
	err := relay()
	if err != nil {
		r.closeTarget()
		_, _ = io.Copy(io.Discard, r.target)
	}
	<-over
	return err
}

// moved is how many bytes of files went each way in a connection.
type moved struct{ up, down atomic.Int64 }

// fileGate is the session, as what moves files sees it.
type fileGate struct {
	*run
	keep   int64
	limits v1alpha1.SSHGrant
}

func newFileGate(r *run) *fileGate {
	g := &fileGate{run: r}
	if granted := r.session.State().Grant; granted != nil {
		g.keep = int64(granted.Policy.Recording.FileContentBytes)
		if granted.Policy.Grant.SSH != nil {
			g.limits = *granted.Policy.Grant.SSH
		}
	}
	return g
}

// Admit implements sftp.Gate. The client waits on its stderr, and cancels by leaving.
func (g *fileGate) Admit(ctx context.Context, o sftp.Operation) (sftp.Admission, error) {
	held := false
	hold := &session.Hold{
		Describe:  func(context.Context, *v1alpha1.HeldOperation) { held = true },
		Cancelled: ctx.Done(),
		Tell: func(message string) error {
			g.tell(message)
			return context.Cause(ctx)
		},
	}
	admission, err := g.admit(policy.Action{Kind: o.Kind, Unknown: o.Unknown, SSH: &policy.SSHAction{
		Files: o.Files, Bytes: o.Bytes, FromTarget: o.FromTarget,
	}}, o.Shown, hold)
	if words, ok := usable(err); ok {
		// Most clients show a code alone.
		g.tell(words)
		return sftp.Admission{}, &sftp.Refused{Words: "sallyport: " + clean(words)}
	}
	return sftp.Admission{Operation: admission.Operation, Held: held}, err
}

// MaxBytes implements sftp.Gate: of several grants the widest counts.
func (g *fileGate) MaxBytes(path string, access v1alpha1.FileAccess) (most int64) {
	for i := range g.limits.Files {
		granted := &g.limits.Files[i]
		for _, a := range granted.Access {
			if a != access || !policy.MatchPath(granted.Path, path) {
				continue
			}
			if granted.MaxBytes == 0 {
				return 0
			}
			most = max(most, granted.MaxBytes)
		}
	}
	return most
}

// Move implements sftp.Gate.
func (g *fileGate) Move(direction sftp.Direction, bytes int64) error {
	total, most := &g.moved.up, g.limits.MaxUploadBytes
	if direction == sftp.Download {
		total, most = &g.moved.down, g.limits.MaxDownloadBytes
	}
	if total.Add(bytes) <= most || most == 0 {
		return nil
	}
	total.Add(-bytes)
	words := fmt.Sprintf("the grant has no more than %d bytes of %s in one session", most, direction)
	g.tell(words)
	return &sftp.Refused{Words: "sallyport: " + words}
}

// Stream implements sftp.Gate.
func (g *fileGate) Stream(operation, bytes int64, sum string) error {
	return g.recorded(g.session.Chunk(g.ctx, record.Stream{Operation: operation, Bytes: bytes, SHA256: sum}))
}

// KeepBytes implements sftp.Gate.
func (g *fileGate) KeepBytes() int64 { return g.keep }

// Content implements sftp.Gate.
func (g *fileGate) Content(operation int64, piece []byte) error {
	for len(piece) > 0 {
		part := piece[:min(len(piece), record.MaxBlock)]
		err := g.session.Output(g.ctx, record.Output{Operation: operation, Bytes: int64(len(part)), Block: part})
		if g.recorded(err) != nil {
			return err
		}
		piece = piece[len(part):]
	}
	return nil
}

// File implements sftp.Gate.
func (g *fileGate) File(file record.File) error { return g.recorded(g.session.File(g.ctx, file)) }

// Result implements sftp.Gate.
func (g *fileGate) Result(result record.Result) error {
	return g.recorded(g.session.Result(g.ctx, result))
}

// recorded ends the session where something could not be recorded.
func (g *fileGate) recorded(err error) error {
	if err != nil {
		g.end(err)
	}
	return err
}
