package sessions_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/internal/cli/recording"
	"github.com/sallyport/sallyport/internal/cli/recording/recordingtest"
	"github.com/sallyport/sallyport/internal/cli/sessions"
	"github.com/sallyport/sallyport/internal/record"
)

func listed(t *testing.T, from, output string) (stdout, stderr string) {
	t.Helper()
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	o := &sessions.Options{IOStreams: streams, Source: recording.Source{From: from}, Output: output}
	if err := errors.Join(o.Validate(), o.Complete(), o.Run(t.Context())); err != nil {
		t.Fatal(err)
	}
	return out.String(), errOut.String()
}

func TestREC4_SessionsAreListedAndOneThatIsBrokenBlocksNoOther(t *testing.T) {
	t.Parallel()
	folder := recordingtest.New(t)
	hostile := recordingtest.Start("s1")
	hostile.User = "bob\x1b[2J"
	folder.Session(t, hostile,
		recordingtest.Operation(1, "select", "SELECT 1", "Allow"), recordingtest.Operation(2, "drop table", "DROP TABLE x", "Deny"),
		record.Event{Type: record.EventHold, Hold: &record.Hold{Operation: 3}}, recordingtest.End(1, 1))
	folder.Session(t, recordingtest.Start("s2"), recordingtest.Operation(1, "select", "SELECT 1", "Allow"))
	if err := os.MkdirAll(filepath.Join(folder.Path, "s3"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder.Path, "s3", "00000001.seg"), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, stderr := listed(t, folder.Path, "")
	var got [][]string
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		got = append(got, append(fields[:len(fields)-3:len(fields)-3], fields[len(fields)-2:]...))
	}
	want := [][]string{
		{"SESSION", "USER", "BEGAN", "DURATION", "OPERATIONS", "REFUSED", "HELD", "STATE", "SIGNED"},
		{"s3", "<none>", "<none>", "<none>", "<none>", "<none>", "<none>", "Unreadable", "No"},
		{"s1", `bob\x1b[2J`, "2026-03-01", "09:00:01Z", "4s", "2", "1", "1", "Complete", "Yes"},
		{"s2", "bob", "2026-03-01", "09:00:01Z", "1s", "1", "0", "0", "Incomplete", "Yes"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\n%s", diff, out)
	}
	if !strings.Contains(stderr, "session s3: ") {
		t.Errorf("what is wrong with s3 is not said: %s", stderr)
	}
	out, _ = listed(t, folder.Path, "json")
	var parsed struct{ Sessions []sessions.Row }
	if err := json.Unmarshal([]byte(out), &parsed); err != nil || len(parsed.Sessions) != 3 || parsed.Sessions[1].Held != 1 {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestALongRecordingIsNotReadWholeUnlessAsked(t *testing.T) {
	t.Parallel()
	folder := recordingtest.New(t)
	noise := make([]byte, record.MaxBlock)
	live := folder.Begin(t, recordingtest.Start("s1"))
	seed := uint32(1)
	for id := range int64(90) {
		for i := range noise {
			seed = seed*1664525 + 1013904223
			noise[i] = byte(seed >> 24)
		}
		live.Add(recordingtest.Operation(id+1, "select", "SELECT 1", "Allow"),
			record.Event{Type: record.EventOutput, Output: &record.Output{Operation: id + 1, Bytes: int64(len(noise)), Block: noise}})
	}
	live.Add(recordingtest.End(90, 0))
	live.End()
	for count, want := range map[bool]string{false: "?", true: "0"} {
		streams, _, out, _ := genericiooptions.NewTestIOStreams()
		o := &sessions.Options{IOStreams: streams, Source: recording.Source{From: folder.Path}, Count: count}
		if err := o.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		// USER BEGAN(2) DURATION OPERATIONS REFUSED HELD
		fields := strings.Fields(strings.Split(out.String(), "\n")[1])
		if fields[5] != "90" || fields[6] != "0" || fields[7] != want {
			t.Errorf("--count=%v: %q", count, fields)
		}
	}
}
