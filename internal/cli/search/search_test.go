package search_test

import (
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
	"github.com/sallyport/sallyport/internal/cli/search"
	"github.com/sallyport/sallyport/internal/record"
)

// searched runs the verb on a folder.
func searched(t *testing.T, from string, change func(o *search.Options)) (stdout, stderr string, err error) {
	t.Helper()
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	o := &search.Options{
		IOStreams: streams, Source: recording.Source{From: from}, Output: "jsonl",
		Now: func() time.Time { return recordingtest.Began.Add(time.Hour) },
	}
	change(o)
	if err := errors.Join(o.Validate(), o.Complete()); err != nil {
		t.Fatal(err)
	}
	err = o.Run(t.Context())
	return out.String(), errOut.String(), err
}

// found is session, event and text of each result.
func found(t *testing.T, out string) (all []string) {
	t.Helper()
	for line := range strings.Lines(out) {
		var f search.Found
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		all = append(all, fmt.Sprintf("%s %s %s: %s", f.Session, f.Seek(), f.Verdict, f.Text))
	}
	return all
}

func shelf(t *testing.T) *recordingtest.Folder {
	t.Helper()
	folder := recordingtest.New(t)
	folder.SegmentBytes = 300
	read := recordingtest.Operation(1, "select", "SELECT total FROM orders", "Allow")
	read.Operation.Reads = []string{"public.orders"}
	update := record.Event{Type: record.EventOperation, Operation: &record.Operation{
		ID: 2, Kind: "update", Text: "UPDATE orders SET paid = true\x1b[2J", Values: []record.Text{"Müller"}, Writes: []string{"public.orders"},
	}}
	folder.Session(t, recordingtest.Start("s1"),
		read, recordingtest.Result(1, 3, "SELECT 3"), // events 2 and 3
		update, // 4
		record.Event{Type: record.EventHold, Hold: &record.Hold{Operation: 2, Review: "r"}},
		record.Event{Type: record.EventHold, Hold: &record.Hold{Operation: 2, Review: "r", Outcome: "Approved"}},
		record.Event{Type: record.EventVerdict, Verdict: &record.Verdict{Operation: 2, Effect: "Allow"}},
		recordingtest.Operation(3, "drop table", "DROP TABLE customers", "Deny"), // 8
		record.Event{Type: record.EventNotice, Notice: "your access ends in a minute"},
		recordingtest.End(2, 1))
	other := recordingtest.Start("s2")
	other.User, other.Task, other.Protocol = "carol", "OPS-7", "ssh"
	folder.Session(t, other,
		record.Event{Type: record.EventTerminal, Terminal: &record.Terminal{Operation: 1, Kind: "output", Data: []byte("$ cat /etc/sha\x1b[1m")}},
		record.Event{Type: record.EventTerminal, Terminal: &record.Terminal{Operation: 1, Kind: "output", Data: []byte("dow\r\ndenied\r\n")}},
		record.Event{Type: record.EventFile, File: &record.File{Operation: 2, Path: "/srv/dump.sql", Op: "read", Bytes: 9}},
		recordingtest.Operation(3, "", "unfinished", "Allow"))
	return folder
}

func TestASearchFindsByEveryQuestion(t *testing.T) {
	t.Parallel()
	folder := shelf(t)
	const (
		read   = "s1 #2 Allow: SELECT total FROM orders"
		update = "s1 #4 Allow after hold: UPDATE orders SET paid = true\x1b[2J"
		drop   = "s1 #8 Deny: DROP TABLE customers"
		left   = "s2 #5 Allow: unfinished"
	)
	for name, test := range map[string]struct {
		change func(o *search.Options)
		want   []string
	}{
		"task":              {func(o *search.Options) { o.Task = "ops-7" }, []string{left}},
		"user":              {func(o *search.Options) { o.User = "Carol" }, []string{left}},
		"relation, read":    {func(o *search.Options) { o.Relation, o.Kind = "public.orders", "SELECT" }, []string{read}},
		"relation, any":     {func(o *search.Options) { o.Relation = "orders" }, []string{read, update}},
		"relation, no part": {func(o *search.Options) { o.Relation = "order" }, nil},
		"text":              {func(o *search.Options) { o.Text = "table CUSTOMERS" }, []string{drop}},
		"text of a value":   {func(o *search.Options) { o.Text = "müller" }, []string{update}},
		"text of a notice":  {func(o *search.Options) { o.Text = "in a minute" }, []string{"s1 #9 : your access ends in a minute"}},
		"text of a screen":  {func(o *search.Options) { o.Text = "/etc/shadow" }, []string{"s2 #3 : $ cat /etc/shadow"}},
		"name of a file":    {func(o *search.Options) { o.Text = "dump.sql" }, []string{"s2 #4 : read /srv/dump.sql"}},
		"verdict":           {func(o *search.Options) { o.Verdict = "deny" }, []string{drop}},
		"held":              {func(o *search.Options) { o.Verdict = "Hold" }, []string{update}},
		"kind":              {func(o *search.Options) { o.Kind = "drop table" }, []string{drop}},
		"since":             {func(o *search.Options) { o.Since, o.Session = "2026-03-01T09:00:08Z", "s1" }, []string{drop}},
		"until":             {func(o *search.Options) { o.Until, o.Session = "2026-03-01T09:00:03Z", "s1" }, []string{read}},
		"before it all":     {func(o *search.Options) { o.Until = "2026-02-28" }, nil},
		"long ago":          {func(o *search.Options) { o.Since = "10m" }, nil},
		"enough":            {func(o *search.Options) { o.Relation, o.Limit = "orders", 1 }, []string{read}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, stderr, err := searched(t, folder.Path, test.change)
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(test.want, found(t, out)); diff != "" {
				t.Error(diff)
			}
			if len(test.want) == 0 && !strings.Contains(stderr, "Nothing found in ") {
				t.Error(stderr)
			}
		})
	}
}

func TestAReplayBeginsAtWhatWasFound(t *testing.T) {
	t.Parallel()
	folder := shelf(t)
	out, _, err := searched(t, folder.Path, func(o *search.Options) { o.Kind = "drop table" })
	var f search.Found
	if err := errors.Join(err, json.Unmarshal([]byte(out), &f)); err != nil {
		t.Fatal(err)
	}
	streams, _, replayed, _ := genericiooptions.NewTestIOStreams()
	r := &replay.Options{IOStreams: streams, Source: recording.Source{From: folder.Path, Session: f.Session}, Seek: f.Seek()}
	if err := errors.Join(r.Validate(), r.Complete(), r.Run(t.Context())); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(replayed.String(), "\n"); !strings.Contains(lines[4], "DROP TABLE customers") {
		t.Error(replayed)
	}
}

func TestREC3_ATableOfResultsNeutralisesThem(t *testing.T) {
	t.Parallel()
	out, _, err := searched(t, shelf(t).Path, func(o *search.Options) { o.Output, o.Relation = "", "orders" })
	if err != nil || strings.Contains(out, "\x1b") || !strings.Contains(out, `UPDATE orders SET paid = true\x1b[2J`) || !strings.HasPrefix(out, "REQUEST ") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestREC4_ACorruptRecordingKeepsNoOtherFromBeingSearched(t *testing.T) {
	t.Parallel()
	folder := shelf(t)
	if err := os.MkdirAll(filepath.Join(folder.Path, "s0"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder.Path, "s0", "00000001.seg"), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, stderr, err := searched(t, folder.Path, func(o *search.Options) { o.Verdict = "Deny" })
	if kube.ExitCode(err) != 1 || !strings.Contains(stderr, "session s0: ") || len(found(t, out)) != 1 {
		t.Errorf("%v %s\n%s", err, stderr, out)
	}
}

func TestASearchForNothingOrNonsenseIsRefused(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]*search.Options{
		"say what to look for":          {},
		"--verdict is one of":           {Query: search.Query{Verdict: "maybe"}},
		"--since takes how long ago":    {Since: "yesterday"},
		"--until takes how long ago":    {Until: "-2h"},
		`unknown output format "yaml":`: {Output: "yaml"},
	} {
		o.Now = time.Now
		if err := o.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
