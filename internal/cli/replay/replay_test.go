package replay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/recording"
	"github.com/sallyport/sallyport/internal/cli/recording/recordingtest"
	"github.com/sallyport/sallyport/internal/cli/replay"
	"github.com/sallyport/sallyport/internal/record"
)

// replayed runs the verb on a folder.
func replayed(t *testing.T, folder *recordingtest.Folder, change func(o *replay.Options)) (stdout, stderr string, err error) {
	t.Helper()
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	o := &replay.Options{IOStreams: streams, Source: recording.Source{From: folder.Path}, Speed: replay.SpeedOfSession}
	if change != nil {
		change(o)
	}
	if err := errors.Join(o.Validate(), o.Complete()); err != nil {
		t.Fatal(err)
	}
	err = o.Run(t.Context())
	return out.String(), errOut.String(), err
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

var session = []record.Event{
	{Type: record.EventNotice, Notice: "waiting for approval:\nkubectl approve pay-1423"},
	{
		Type: record.EventOperation, Operation: &record.Operation{
			ID: 1, Kind: "select", Text: "SELECT *\nFROM orders\n# ended: forged\x1b[1A", Values: []record.Text{"42\n$2 = forged", "\xff"},
		},
		Verdict: &record.Verdict{Operation: 1, Effect: "Allow", Policy: "orders-read", Rule: "grant"},
	},
	{Type: record.EventResult, Result: &record.Result{Operation: 1, Tag: "SELECT 1", Rows: 1, Bytes: 120}},
	{Type: record.EventStream, Stream: &record.Stream{Operation: 1, Bytes: 3, SHA256: "abab"}},
	{Type: record.EventOperation, Operation: &record.Operation{ID: 2, Kind: "drop table", Text: "DROP TABLE orders"}},
	{Type: record.EventVerdict, Verdict: &record.Verdict{Operation: 2, Effect: "Deny", Policy: "orders-read", Rule: "grant", Message: "not granted"}},
	{Type: record.EventOperation, Operation: &record.Operation{ID: 3, Kind: "select", Text: "SELECT 1/0"}},
	{Type: record.EventVerdict, Verdict: &record.Verdict{Operation: 3, Effect: "Allow", Policy: "orders-read", Rule: "grant"}},
	{Type: record.EventResult, Result: &record.Result{Operation: 3, Error: "22012: division by zero"}},
	{Type: record.EventOperation, Operation: &record.Operation{ID: 4, Kind: "update", Text: "UPDATE orders SET paid = true"}},
	{Type: record.EventHold, Hold: &record.Hold{Operation: 4, Review: "pay-1423-0123456789", Point: "Statement", Digest: "abab", Message: "rule no-where"}},
	{Type: record.EventHold, Hold: &record.Hold{Operation: 4, Review: "pay-1423-0123456789", Point: "Statement", Digest: "abab", Outcome: "Denied", Message: "alice: name\nthe rows"}},
	{Type: record.EventVerdict, Verdict: &record.Verdict{Operation: 4, Effect: "Deny", Policy: "orders-fix", Rule: "no-where", Message: "denied by its reviewers"}},
	{Type: record.EventOperation, Operation: &record.Operation{ID: 5, Kind: "select", Text: "SELECT id, email FROM customers"}},
	{Type: record.EventVerdict, Verdict: &record.Verdict{Operation: 5, Effect: "HoldCommit", Policy: "orders-fix", Rule: "gate"}},
	{Type: record.EventOutput, Output: block(
		[]record.Column{{Name: "id", Type: 23, Binary: true}, {Name: "email\x1b[2J", Type: 25}},
		"D\x00\x00\x00\x17\x00\x02\x00\x00\x00\x04\x00\x00\x00\x07\x00\x00\x00\x05[a]\n\x1b"+"D\x00\x00\x00\x0e\x00\x02\xff\xff\xff\xff\xff\xff\xff\xff")},
	{Type: record.EventOutput, Output: block(nil, "D\x00\x00\x00\x01")},
	{Type: record.EventResult, Result: &record.Result{Operation: 5, Tag: "SELECT 2", Rows: 2, Bytes: 39, Masked: map[string]int64{"column public.customers.email": 1}}},
	{Type: record.EventFile, File: &record.File{Operation: 5, Path: "/etc/\x1b]52;c;eA==\x07", Op: "read", Bytes: 12, SHA256: "abab", Direction: "download"}},
	{Type: record.EventEnd, End: &record.End{Reason: "the client left", Allowed: 2, Refused: 1}},
}

// block is a block of the rows of operation 5.
func block(columns []record.Column, messages string) *record.Output {
	return &record.Output{Operation: 5, Columns: columns, Bytes: int64(len(messages)), Block: []byte(messages)}
}

func hostile(session string) record.Start {
	start := recordingtest.Start(session)
	start.Attributes["application_name"] = "psql\x1b[2J"
	return start
}

func TestREC3_AReplayIsReadableAndCannotBeForged(t *testing.T) {
	t.Parallel()
	folder := recordingtest.New(t)
	folder.Session(t, hostile("0195"), session...)
	out, _, err := replayed(t, folder, nil)
	if err != nil {
		t.Error(err)
	}
	golden(t, "session.txt", out)
}

func TestREC3_JSONLinesHoldTheSameAndNothingThatATerminalObeys(t *testing.T) {
	t.Parallel()
	events := append([]record.Event{{Type: record.EventNotice, Notice: "\u009b31m\u202e\U000e0041 é"}}, session...)
	folder := recordingtest.New(t)
	folder.Session(t, hostile("0195"), events...)
	out, _, err := replayed(t, folder, func(o *replay.Options) { o.Output = replay.OutputJSONL })
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out, "\x1b\u009b\u202e\U000e0041") || !strings.Contains(out, "é") {
		t.Error(out)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")[1:]
	if len(lines) != len(events) {
		t.Fatalf("%d lines of %d events", len(lines), len(events))
	}
	for i, want := range events {
		var got struct {
			record.Event
			Attachment []byte `json:"attachment"`
		}
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatal(err)
		}
		if got.Output != nil {
			got.Output.Block = got.Attachment
		}
		got.Sequence, got.Time = 0, time.Time{}
		if diff := cmp.Diff(want, got.Event); diff != "" {
			t.Error(diff)
		}
	}
}

func TestALongStatementIsReplayedWholeAndItsVerdictAfterIt(t *testing.T) {
	t.Parallel()
	text, value := strings.Repeat("SELECT 'é';", 50_000), strings.Repeat("v", 300_000)
	operation := recordingtest.Operation(1, "select", text, "Allow")
	operation.Operation.Values = []record.Text{record.Text(value), "last"}
	folder := recordingtest.New(t)
	folder.Session(t, recordingtest.Start("0195"), operation, recordingtest.End(1, 0))
	out, _, err := replayed(t, folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"[1] " + text + "\n", "$1 = " + value + "\n", "$2 = last\n               > [1] allowed"} {
		if !strings.Contains(out, part) {
			t.Errorf("%.20s… is not there whole", part)
		}
	}
}

func TestREC4_AReplayPrintsWhatItCanBelieveAndTheOtherSessionsWhole(t *testing.T) {
	t.Parallel()
	folder := recordingtest.New(t)
	folder.SegmentBytes = 400
	folder.Session(t, recordingtest.Start("s1"), session...)
	folder.Session(t, recordingtest.Start("s2"), session...)
	folder.Session(t, recordingtest.Start("s3"), session[:len(session)-1]...)
	flip(t, filepath.Join(folder.Path, "s1", "00000002.seg"))

	out, stderr, err := replayed(t, folder, nil)
	if kube.ExitCode(err) != 1 || !strings.HasPrefix(stderr, "error: session s1: error: corrupt") && !strings.HasPrefix(stderr, "error: session s1: corrupt") {
		t.Errorf("%v %s", err, stderr)
	}
	if strings.Count(out, "# corrupt") != 1 || strings.Count(out, "# incomplete") != 1 || strings.Count(out, "# ended 2026") != 1 {
		t.Error(out)
	}
	out, stderr, err = replayed(t, folder, func(o *replay.Options) { o.Session = "s3" })
	if err != nil || stderr != "" || !strings.Contains(out, "session s3") || strings.Contains(out, "session s2") {
		t.Errorf("%v %s\n%s", err, stderr, out)
	}
}

func flip(t *testing.T, file string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)-9] ^= 1
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAReplayIsPacedAndPausesAreCut(t *testing.T) {
	t.Parallel()
	folder := recordingtest.New(t)
	folder.Session(t, recordingtest.Start("0195"), session...)
	for name, test := range map[string]struct {
		speed   float64
		maxIdle time.Duration
		skip    bool
		want    time.Duration
	}{
		"at once":          {0, 0, false, 0},
		"as it happened":   {1, 0, false, 20 * time.Second},
		"ten times faster": {10, 0, false, 2 * time.Second},
		"pauses cut":       {1, 100 * time.Millisecond, false, 2 * time.Second},
		"skipping":         {2, 0, true, 10 * time.Second},
	} {
		var waited time.Duration
		_, _, err := replayed(t, folder, func(o *replay.Options) {
			o.Speed, o.MaxIdle, o.IdleSkip = test.speed, test.maxIdle, test.skip
			o.Wait = func(_ context.Context, d time.Duration) error { waited += d; return nil }
		})
		if err != nil || waited != test.want {
			t.Errorf("%s: waited %s, want %s, %v", name, waited, test.want, err)
		}
	}
}

func TestAReplayBeginsWhereItIsToldTo(t *testing.T) {
	t.Parallel()
	folder := recordingtest.New(t)
	folder.SegmentBytes = 400
	folder.Session(t, recordingtest.Start("0195"), session...)
	for seek, first := range map[string]string{
		"#6": "[2] DROP TABLE", "5s": "[2] DROP TABLE", "09:00:06": "[2] DROP TABLE", "2026-03-01T09:00:06Z": "[2] DROP TABLE",
		"#1": "-- waiting", "0s": "-- waiting", "#21": "# ended",
	} {
		out, _, err := replayed(t, folder, func(o *replay.Options) { o.Seek = seek })
		_, rest, found := strings.Cut(out, "# began 2026-03-01T09:00:01Z\n")
		if line, _, _ := strings.Cut(rest, "\n"); err != nil || !found || !strings.Contains(line, first) {
			t.Errorf("%s: %v, begins with %q, want %q", seek, err, line, first)
		}
	}
	for _, seek := range []string{"42", "#0", "#x", "-5s", "yesterday"} {
		if err := (&replay.Options{Seek: seek, Source: recording.Source{From: "."}}).Validate(); err == nil {
			t.Errorf("%s is taken", seek)
		}
	}
}

// shell is a session with a terminal, which tries to leave its screen.
var shell = []record.Event{
	{Type: record.EventTerminal, Terminal: &record.Terminal{Operation: 1, Kind: "resize", Cols: 80, Rows: 24}},
	screen("$ \x1b[1mls\x1b[0m\r\n\x1b]0;pwned\x07\x1b]52;c;cm0gLXJm\x07a"),
	screen("b\x1b[21t\x1bP$qm\x1b\\\x1b[6n\x1b[c\x1b[?1000h\x1b[?2004h c\r\n"),
	screen("\x1b[?1049h\x1b[?25l\u009b31mno newline"),
	{Type: record.EventEnd, End: &record.End{Reason: "exit"}},
}

func screen(data string) record.Event {
	return record.Event{Type: record.EventTerminal, Terminal: &record.Terminal{Operation: 1, Kind: "output", Data: []byte(data)}}
}

func ssh(session string) record.Start {
	start := recordingtest.Start(session)
	start.Protocol = "ssh"
	return start
}

func TestREC3_OnATerminalARecordedOneIsDrawnButDoesNothingElse(t *testing.T) {
	t.Parallel()
	folder := recordingtest.New(t)
	folder.Session(t, ssh("0195"), shell...)
	var waited time.Duration
	out, _, err := replayed(t, folder, func(o *replay.Options) {
		o.Terminal = true
		o.Wait = func(_ context.Context, d time.Duration) error { waited += d; return nil }
	})
	if err != nil {
		t.Error(err)
	}
	for _, kept := range []string{"$ \x1b[1mls\x1b[0m\r\n", "a" + "b c\r\n", "\x1b[?1049h\x1b[?25l"} {
		if !strings.Contains(out, kept) {
			t.Errorf("%q is missing in %q", kept, out)
		}
	}
	for _, dropped := range []string{"\x1b]", "\x1bP", "pwned", "\x1b[21t", "\x1b[6n", "\x1b[c", "1000h", "2004h", "\u009b"} {
		if strings.Contains(out, dropped) {
			t.Errorf("%q is in %q", dropped, out)
		}
	}
	// What it left on is off again.
	if !strings.Contains(out[strings.LastIndex(out, "ended"):], "\x1b[?1049l\x1b[?25h\x1b[0m") {
		t.Errorf("the terminal is not given back: %q", out)
	}
	if waited == 0 {
		t.Error("a terminal was not drawn as it happened")
	}
}

func TestREC3_ElsewhereATerminalIsLinesOfText(t *testing.T) {
	t.Parallel()
	folder := recordingtest.New(t)
	folder.Session(t, ssh("0195"), shell...)
	out, _, err := replayed(t, folder, nil)
	if err != nil {
		t.Error(err)
	}
	golden(t, "shell.txt", out)
}

func TestAnInterruptedReplayGivesTheTerminalBack(t *testing.T) {
	t.Parallel()
	folder := recordingtest.New(t)
	folder.Session(t, ssh("0195"), shell...)
	streams, _, out, _ := genericiooptions.NewTestIOStreams()
	ctx, cancel := context.WithCancel(t.Context())
	o := &replay.Options{IOStreams: streams, Source: recording.Source{From: folder.Path}, Speed: 1, Terminal: true}
	o.Wait = func(ctx context.Context, _ time.Duration) error {
		if strings.Contains(out.String(), "?1049h") {
			cancel()
		}
		return ctx.Err()
	}
	if err := errors.Join(o.Validate(), o.Complete()); err != nil {
		t.Fatal(err)
	}
	if err := o.Run(ctx); kube.ExitCode(err) != 130 || !bytes.Contains(out.Bytes(), []byte("\x1b[?1049l")) {
		t.Errorf("%v %q", err, out)
	}
}

func TestWhatCannotBeReplayedIsSaid(t *testing.T) {
	t.Parallel()
	from := recording.Source{From: t.TempDir()}
	for want, o := range map[string]*replay.Options{
		"say what to replay: a request's name, --uid, or --from with a folder or a tar file": {},
		`unknown output format "html": use text or jsonl`:                                    {Output: "html", Source: from},
		"--speed is from 0.01 to 1000, or 0 for at once":                                     {Speed: 5000, Source: from},
	} {
		if err := o.Validate(); fmt.Sprint(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	o := &replay.Options{Source: from}
	if err := o.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "there are no recordings in it") {
		t.Error(err)
	}
}

func TestAGrantIsShownInOneLine(t *testing.T) {
	t.Parallel()
	folder := recordingtest.New(t)
	folder.Session(t, hostile("0195"),
		record.Event{Type: record.EventGrant, Grant: &record.Grant{Policy: "orders-fix\n# ended: forged", Review: "pay-1423", Text: []byte(`{"policy":{}}`)}},
		record.Event{Type: record.EventEnd, End: &record.End{}})
	out, _, err := replayed(t, folder, nil)
	if err != nil || !strings.Contains(out, "granted by policy orders-fix") || strings.Contains(out, "\n# ended: forged") {
		t.Errorf("%v\n%s", err, out)
	}
}
