package scp

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/proxy/ssh/sftp"
)

// door lets all pass but what is named secret.
type door struct {
	asked []string
	files []record.File
}

func (d *door) Admit(_ context.Context, o sftp.Operation) (sftp.Admission, error) {
	d.asked = append(d.asked, o.Shown)
	if strings.Contains(o.Files[0].Path, "secret") {
		return sftp.Admission{}, &sftp.Refused{Words: "sallyport: refused by policy"}
	}
	return sftp.Admission{Operation: int64(len(d.asked))}, nil
}
func (*door) MaxBytes(string, v1alpha1.FileAccess) int64 { return 0 }
func (*door) Move(sftp.Direction, int64) error           { return nil }
func (*door) Stream(int64, int64, string) error          { return nil }
func (*door) KeepBytes() int64                           { return 0 }
func (*door) Content(int64, []byte) error                { return nil }
func (d *door) File(f record.File) error                 { d.files = append(d.files, f); return nil }
func (*door) Result(record.Result) error                 { return nil }

// side is one end of the relay: what it says is known from the beginning.
type side struct {
	io.Reader
	heard bytes.Buffer
}

func (s *side) Write(p []byte) (int, error) { return s.heard.Write(p) }

// run relays from a source that says this; the sink agrees with everything.
func run(d *door, upload bool, path, says string) (client, target *side, err error) {
	source, sink := &side{Reader: strings.NewReader(says)}, &side{Reader: strings.NewReader(strings.Repeat("\x00", 64))}
	c := Config{Gate: d, Upload: upload, Recursive: true, Path: path, Resolve: func(_ context.Context, path string, _ bool) (sftp.Place, error) {
		return sftp.Place{Path: path}, nil
	}}
	client, target = sink, source
	if upload {
		client, target = source, sink
	}
	c.Client, c.Target = client, target
	return client, target, Relay(context.Background(), c)
}

func TestSSH6_SCPRefusesNamesThatLeaveTheirFolder(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"..", ".", "", "../x", "a/b", "/etc/passwd", "a\x1b[2J", "a\x00b", "\xff"} {
		for _, kind := range []string{"C0644 1 ", "D0755 0 "} {
			for _, upload := range []bool{true, false} {
				d := &door{}
				_, target, err := run(d, upload, "/srv/x", kind+name+"\nx\x00")
				if err == nil || len(d.asked) != 0 {
					t.Errorf("upload %t of %q%q: %v", upload, kind, name, err)
				}
				if upload && target.heard.Len() != 0 {
					t.Errorf("the target was told %q", target.heard.String())
				}
			}
		}
	}
}

func TestSSH6_SCPTakesNoFileThatWasNotAskedFor(t *testing.T) {
	t.Parallel()
	d := &door{}
	client, _, err := run(d, false, "/srv/report", "C0644 4 .bashrc\nevil\x00")
	if err == nil || strings.Contains(client.heard.String(), "evil") {
		t.Errorf("the client got %q: %v", client.heard.String(), err)
	}
}

func TestSSH6_SCPForwardsNoByteMoreThanWasAnnounced(t *testing.T) {
	t.Parallel()
	d := &door{}
	client, _, err := run(d, false, "/srv/report", "C0644 4 report\ndata"+strings.Repeat("more", 100))
	if err == nil || strings.Contains(client.heard.String(), "more") || !strings.Contains(client.heard.String(), "data") {
		t.Errorf("the client got %q: %v", client.heard.String(), err)
	}
	if len(d.files) != 1 || d.files[0].Bytes != 4 {
		t.Errorf("recorded %+v", d.files)
	}
}

func TestARefusedFileIsSkippedAndTheNextOneGoesOn(t *testing.T) {
	t.Parallel()
	d := &door{}
	client, target, err := run(d, true, "/srv/x", "D0755 0 x\nC0644 6 secret\nC0644 4 fine\ndata\x00E\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := target.heard.String(); got != "D0755 0 x\nC0644 4 fine\ndata\x00E\n" {
		t.Errorf("the target got %q", got)
	}
	if !strings.Contains(client.heard.String(), "\x01scp: sallyport: refused by policy\n") {
		t.Errorf("the client was told %q", client.heard.String())
	}
}

func FuzzLine(f *testing.F) {
	for _, l := range []string{"C0644 1 a\n", "D0755 0 a\n", "E\n", "T1 0 2 0\n", "\x01error\n", "C0644 99999999999999999999 a\n"} {
		f.Add(l)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := readLine(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			return
		}
		if l.size < 0 || strings.ContainsAny(l.name, "/\x00") || l.name == ".." || !strings.HasPrefix(text, string(l.text)) {
			t.Fatalf("%q is read as %+v", text, l)
		}
	})
}

func FuzzRelay(f *testing.F) {
	f.Add("C0644 4 x\ndata\x00", true)
	f.Add("D0755 0 x\nT1 0 1 0\nC0644 0 y\n\x00E\n", false)
	f.Fuzz(func(t *testing.T, says string, upload bool) {
		_, _, _ = run(&door{}, upload, "/srv/x", says)
	})
}
