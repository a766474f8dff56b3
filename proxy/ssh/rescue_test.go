package ssh

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/mask"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/session"
)

// A fault of the proxy's own in one connection is no end of the others: the process serves
// all sessions of the task.
func TestAPanicEndsItsConnectionAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		// when is what is recorded as it happens.
		when string
		do   func(*ssh.Session) error
	}{
		"where a program is asked for": {`"text":"echo asked"`, func(s *ssh.Session) error { return s.Run("echo asked") }},
		"while it reads":               {`"stream":`, func(s *ssh.Session) error { s.Stdin = strings.NewReader("x"); return s.Run("cat") }},
		"at its end":                   {`"tag":"exit 7"`, func(s *ssh.Session) error { return s.Run("exit 7") }},
		"while it waits for reviewers": {`"hold":`, func(s *ssh.Session) error { return s.Run("id") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := unrestricted()
			p.Rules = holding(`action.kind == "exec" && action.command == "id"`)
			b := granted(t, p)
			other := newSession(t, b.connect(t))
			in, err := other.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			other.Stdout = &out
			if err := other.Start("head -c 6"); err != nil {
				t.Fatal(err)
			}
			client := b.connect(t)
			b.Recordings.OnWrite(func(event []byte) {
				if bytes.Contains(event, []byte(c.when)) {
					panic("a fault")
				}
			})
			if err := c.do(newSession(t, client)); err == nil || isStatus(err, 0) {
				t.Errorf("it ended with %v", err)
			}
			if err := client.Wait(); err == nil {
				t.Error("its connection goes on")
			}
			b.Recordings.OnWrite(nil)
			if _, err := io.WriteString(in, "others"); err != nil {
				t.Fatal(err)
			}
			if err := other.Wait(); err != nil || out.String() != "others" {
				t.Errorf("the other connection ended with %v, %q", err, out.String())
			}
			await(t, "the end of the session's recording", func() bool {
				for _, event := range b.events(t) {
					if event.Type == record.EventEnd && event.End != nil && strings.Contains(event.End.Reason, errInternal.Error()) {
						return true
					}
				}
				return false
			})
		})
	}
}

func isStatus(err error, status int) bool {
	exit, ok := errors.AsType[*ssh.ExitError](err)
	return ok && exit.ExitStatus() == status
}

// What a silence of the program shows is written by a timer.
func TestAPanicOfATimerEndsItsConnectionAlone(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	c := &connection{engine: New(Options{}), session: &session.Session{}, end: func(err error) { ended <- err }}
	masks, err := mask.Compile(v1alpha1.MaskingPolicy{Detectors: []v1alpha1.DetectorMask{{Name: "mail", Detect: v1alpha1.DetectEmail}}})
	if err != nil {
		t.Fatal(err)
	}
	o := c.newOutlet(masks, writerFunc(func([]byte) (int, error) { panic("a fault") }))
	if _, err := o.Write([]byte("$ ")); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, errInternal) {
		t.Error(err)
	}
}
