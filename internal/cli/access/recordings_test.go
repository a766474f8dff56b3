package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/reader/readerapi"
	"github.com/sallyport/sallyport/internal/record"
)

// archive is the reader of recordings, with one request's.
type archive map[string][]byte

func (a archive) answer(w http.ResponseWriter, r *http.Request) bool {
	if !strings.HasPrefix(r.URL.Path, "/apis/"+readerapi.Group+"/") {
		return false
	}
	session := r.URL.Query().Get(readerapi.ParameterSession)
	if session == "" {
		list := readerapi.RecordingList{}
		for _, name := range []string{"s1", "s2"} {
			if content, ok := a[name]; ok {
				list.Items = append(list.Items, readerapi.Recording{Session: name, Bytes: int64(len(content))})
			}
		}
		_ = json.NewEncoder(w).Encode(list)
		return true
	}
	offset, _ := strconv.Atoi(r.URL.Query().Get(readerapi.ParameterOffset))
	_, _ = w.Write(a[session][offset:])
	return true
}

// recorded is a session of a request, and its head. Without an end it still runs.
func recorded(t *testing.T, r *v1alpha1.TaskAccessRequest, session, statement string, ended bool) ([]byte, v1alpha1.RecordingHead) {
	t.Helper()
	var out bytes.Buffer
	w, err := record.NewFileWriter(&out, record.Start{
		Session: session, RequestUID: string(r.UID), Request: r.Name, Namespace: r.Namespace, Task: r.Spec.Task.ID,
		User: "bob", Proof: "key", Target: "orders", Protocol: "postgres",
	}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	events := []record.Event{
		{Type: record.EventOperation, Operation: &record.Operation{ID: 1, Kind: "select", Text: record.Text(statement)}},
		{Type: record.EventVerdict, Verdict: &record.Verdict{Operation: 1, Effect: "Allow", Policy: "orders-read", Rule: "grant"}},
	}
	if ended {
		events = append(events, record.Event{Type: record.EventEnd, End: &record.End{Reason: "the client left", Allowed: 1}})
	}
	head, err := w.Append(events...)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), v1alpha1.RecordingHead{Session: session, Sequence: head.Sequence, Hash: head.Hash, Complete: head.Complete}
}

// shelf is bob's desk with two sessions recorded, and what the reader serves of them.
func shelf(t *testing.T) (*desk, archive, *rest.Config) {
	t.Helper()
	d := newDesk(t)
	d.ask()
	r := d.get("pay-1423")
	first, firstHead := recorded(t, r, "s1", "SELECT 1", true)
	second, secondHead := recorded(t, r, "s2", "SELECT 2", true)
	d.status(r, func(s *v1alpha1.TaskAccessRequestStatus) {
		s.Recording = &v1alpha1.RecordingStatus{Head: []v1alpha1.RecordingHead{firstHead, secondHead}}
	})
	a := archive{"s1": first, "s2": second}
	return d, a, apitest.Front(t, d.bob, a.answer)
}

func TestReplayPrintsEverySession(t *testing.T) {
	t.Parallel()
	d, a, config := shelf(t)
	out, _, err := d.execute(config, "replay", "PAY-1423")
	if err != nil || !strings.Contains(out, "SELECT 1") || !strings.Contains(out, "SELECT 2") {
		t.Errorf("%v\n%s", err, out)
	}
	out, _, err = d.execute(config, "replay", "pay-1423", "--session", "s2", "-o", "jsonl")
	if err != nil || strings.Contains(out, "SELECT 1") || strings.Count(out, "\n") != 4 {
		t.Errorf("%v\n%s", err, out)
	}
	_, _, err = d.execute(config, "replay", "pay-1423", "--session", "s3")
	d.want(kube.Message(err), "error: pay-1423 has no session s3: see kubectl access show pay-1423")
	_, _, err = d.execute(config, "replay", "pay-1423", "-o", "html")
	d.want(kube.Message(err), `error: unknown output format "html": use text or jsonl`)

	file := filepath.Join(t.TempDir(), "s1.rec")
	if err := os.WriteFile(file, a["s1"], 0o600); err != nil {
		t.Fatal(err)
	}
	if out, _, err = d.execute(&rest.Config{Host: "http://127.0.0.1:1"}, "replay", "--file", file); err != nil || !strings.Contains(out, "SELECT 1") {
		t.Errorf("a file: %v\n%s", err, out)
	}
	_, _, err = d.execute(config, "replay")
	d.want(kube.Message(err), "error: say what to replay: a request's name, or --file with a recording")

	a["s1"] = bytes.Replace(a["s1"], []byte("SELECT 1"), []byte("SELECT 9"), 1)
	out, _, err = d.execute(config, "replay", "pay-1423")
	if !strings.HasPrefix(kube.Message(err), "error: session s1: corrupt at line 3") || !strings.Contains(out, "SELECT 2") {
		t.Errorf("a corrupt recording must fail, and block no other: %v\n%s", err, out)
	}
}

func TestREC2_VerifyTellsWholeFromRunningFromTamperedWith(t *testing.T) {
	t.Parallel()
	whole := func(*testing.T, *v1alpha1.TaskAccessRequest, archive) {}
	tests := []struct {
		name string
		do   func(t *testing.T, r *v1alpha1.TaskAccessRequest, a archive)
		code int
		want string
	}{
		{"whole", whole, 0, "session s2: OK: complete, and its chain is whole"},
		{"changed", func(_ *testing.T, _ *v1alpha1.TaskAccessRequest, a archive) {
			a["s1"] = bytes.Replace(a["s1"], []byte("SELECT 1"), []byte("SELECT 9"), 1)
		}, 1, "session s1: FAILED: corrupt at line 3"},
		{"cut at the end of a line", func(_ *testing.T, _ *v1alpha1.TaskAccessRequest, a archive) {
			lines := bytes.SplitAfter(a["s2"], []byte("\n"))
			a["s2"] = bytes.Join(lines[:len(lines)-2], nil)
		}, 1, "session s2: FAILED"},
		{"written anew, and whole in itself", func(t *testing.T, r *v1alpha1.TaskAccessRequest, a archive) {
			a["s2"], _ = recorded(t, r, "s2", "SELECT harmless", true)
		}, 1, "session s2: FAILED"},
		{"removed", func(_ *testing.T, _ *v1alpha1.TaskAccessRequest, a archive) { delete(a, "s1") }, 1, "session s1: FAILED: 4 events were reported, and the recording is gone"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, a, config := shelf(t)
			tt.do(t, d.get("pay-1423"), a)
			out, _, err := d.execute(config, "verify", "pay-1423")
			if kube.ExitCode(err) != tt.code || !strings.Contains(out, tt.want) {
				t.Errorf("exit code %d (%v), want %d, and %q in\n%s", kube.ExitCode(err), err, tt.code, tt.want, out)
			}
		})
	}
	t.Run("still running", func(t *testing.T) {
		t.Parallel()
		d, a, config := shelf(t)
		r := d.get("pay-1423")
		running, head := recorded(t, r, "s2", "SELECT 2", false)
		a["s2"] = running
		d.status(r, func(s *v1alpha1.TaskAccessRequestStatus) { s.Recording.Head[1] = head })
		out, _, err := d.execute(config, "verify", "pay-1423")
		if kube.ExitCode(err) != 2 || kube.Message(err) != "" || !strings.Contains(out, "session s2: INCOMPLETE") {
			t.Errorf("exit code %d (%v)\n%s", kube.ExitCode(err), err, out)
		}
	})
}

func TestAFileIsVerifiedOfflineAndAgainstARequest(t *testing.T) {
	t.Parallel()
	d, a, config := shelf(t)
	file := filepath.Join(t.TempDir(), "s1.jsonl")
	if err := os.WriteFile(file, a["s1"], 0o600); err != nil {
		t.Fatal(err)
	}
	nowhere := &rest.Config{Host: "http://127.0.0.1:1"}
	out, _, err := d.execute(nowhere, "verify", "--file", file)
	if err != nil || !strings.Contains(out, "no reported head to compare with") {
		t.Errorf("offline: %v\n%s", err, out)
	}
	out, _, err = d.execute(config, "verify", "pay-1423", "--file", file)
	if err != nil || !strings.Contains(out, "agrees with the head that was reported") {
		t.Errorf("with the request: %v\n%s", err, out)
	}
	anew, _ := recorded(t, d.get("pay-1423"), "s1", "SELECT harmless", true)
	if err := os.WriteFile(file, anew, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, _, err = d.execute(config, "verify", "pay-1423", "--file", file); kube.ExitCode(err) != 1 {
		t.Errorf("written anew: %v\n%s", err, out)
	}
	if _, _, err = d.execute(nowhere, "verify"); !strings.HasPrefix(kube.Message(err), "error: say what to verify") {
		t.Errorf("nothing: %v", err)
	}
	if _, _, err = d.execute(nowhere, "verify", "--file", file+"x"); !errors.Is(err, os.ErrNotExist) || kube.ExitCode(err) != 1 {
		t.Errorf("no file: %v", err)
	}
}
