package sftp

import (
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/record"
)

// deaf is a target that says of every path that nothing is there, and leaves when it is
// asked for something else.
func deaf(t *testing.T) io.ReadWriteCloser {
	t.Helper()
	ours, theirs := pair(t)
	go func() {
		defer theirs.Close()
		in := frames{from: theirs}
		if _, err := in.next(); err != nil {
			return
		}
		answer := finish([]byte{0, 0, 0, 0, typeVersion, 0, 0, 0, version})
		for {
			if _, err := theirs.Write(answer); err != nil {
				return
			}
			packet, err := in.next()
			if err != nil || packet[4] != typeLstat {
				return
			}
			c := cursor{rest: packet[5:]}
			answer = status(c.uint32(), statusNoSuchFile, "")
		}
	}()
	return ours
}

func TestWhatTheTargetNeverAnswersIsRecordedAsThat(t *testing.T) {
	t.Parallel()
	for name, asked := range map[string][]byte{
		"an open": pathRequest(typeOpen, 1, "/f", []byte{0, 0, 0, flagWrite | flagCreate, 0, 0, 0, 0}),
		"a mkdir": pathRequest(typeMkdir, 1, "/f", []byte{0, 0, 0, 0}),
	} {
		d := &door{grants: map[string]string{"/**": "RWD"}}
		conn := serve(t, d, deaf(t))
		_, err := conn.Write(append(finish([]byte{0, 0, 0, 0, typeInit, 0, 0, 0, version}), asked...))
		must(t, err)
		in := frames{from: conn}
		for err == nil {
			_, err = in.next()
		}
		want := []record.Result{{Operation: 1, Tag: "not answered", Error: "the channel ended before the target answered"}}
		d.mu.Lock()
		if diff := cmp.Diff(want, d.results); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		d.mu.Unlock()
	}
}
