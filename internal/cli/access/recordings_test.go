package access

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/recording/recordingtest"
	"github.com/sallyport/sallyport/internal/reader/readerapi"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

// shelf is bob's desk with two sessions recorded, and the reader that serves them.
type shelf struct {
	*desk

	folder *recordingtest.Folder
	uid    string
	config *rest.Config
	// deleted says that the reader knows the request by UID alone.
	deleted bool
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{desk: newDesk(t), folder: recordingtest.New(t)}
	s.ask()
	r := s.get("pay-1423")
	s.uid = string(r.UID)
	first, second := s.record("s1", "SELECT 1", true), s.record("s2", "SELECT 2", true)
	s.heads(first, second)
	s.config = apitest.Front(t, s.bob, s.answer)
	return s
}

func (s *shelf) record(session, statement string, ended bool) record.Head {
	s.t.Helper()
	if err := os.RemoveAll(filepath.Join(s.folder.Path, session)); err != nil {
		s.t.Fatal(err)
	}
	start := recordingtest.Start(session)
	start.RequestUID, start.Request, start.Namespace = s.uid, "pay-1423", s.namespace
	live := s.folder.Begin(s.t, start)
	live.Add(recordingtest.Operation(1, "select", statement, "Allow"))
	if ended {
		live.Add(recordingtest.End(1, 0))
	}
	return live.End()
}

// heads writes what the manager knows of the sessions.
func (s *shelf) heads(heads ...record.Head) {
	s.t.Helper()
	s.status(s.get("pay-1423"), func(status *v1alpha1.TaskAccessRequestStatus) {
		status.Recording = &v1alpha1.RecordingStatus{Store: "volume"}
		for _, h := range heads {
			status.Recording.Head = append(status.Recording.Head, v1alpha1.RecordingHead{Session: h.Session, Sequence: h.Sequence, Hash: h.Hash, Complete: h.Complete})
		}
	})
}

// answer is the reader of recordings.
func (s *shelf) answer(w http.ResponseWriter, r *http.Request) bool {
	if !strings.HasPrefix(r.URL.Path, "/apis/"+readerapi.Group+"/") {
		return false
	}
	if byUID := r.URL.Path == readerapi.PathOfUID(s.uid); s.deleted != byUID {
		http.Error(w, "another's", http.StatusForbidden)
		return true
	}
	from, query := store.FS(os.DirFS(s.folder.Path)), r.URL.Query()
	session, object := query.Get(readerapi.ParameterSession), query.Get(readerapi.ParameterObject)
	switch {
	case session == "":
		list := readerapi.RecordingList{RequestUID: s.uid, Store: "volume", Keys: []string{s.folder.PublicPEM(s.t)}}
		sessions, _ := from.Sessions(r.Context())
		for _, session := range sessions {
			list.Items = append(list.Items, readerapi.Recording{Session: session})
		}
		_ = json.NewEncoder(w).Encode(list)
	case object == "":
		list := readerapi.ObjectList{}
		objects, _ := from.List(r.Context(), session)
		for _, o := range objects {
			list.Items = append(list.Items, readerapi.Object{Name: readerapi.Short(session, o.Name), Size: o.Size})
		}
		_ = json.NewEncoder(w).Encode(list)
	default:
		offset, _ := strconv.ParseInt(query.Get(readerapi.ParameterOffset), 10, 64)
		in, err := from.Open(r.Context(), readerapi.Full(session, object), offset)
		if err != nil {
			http.NotFound(w, r)
			return true
		}
		_, _ = io.Copy(w, in)
		_ = in.Close()
	}
	return true
}

// change rewrites an object, as whoever holds the store could.
func (s *shelf) change(object string, do func([]byte) []byte) {
	s.t.Helper()
	file := filepath.Join(s.folder.Path, object)
	content, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, do(content), 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func flipped(content []byte) []byte {
	content[len(content)-9] ^= 1
	return content
}

func TestReplayPrintsEverySession(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	out, _, err := s.execute(s.config, "replay", "PAY-1423")
	if err != nil || !strings.Contains(out, "SELECT 1") || !strings.Contains(out, "SELECT 2") {
		t.Errorf("%v\n%s", err, out)
	}
	out, _, err = s.execute(s.config, "replay", "pay-1423", "--session", "s2", "-o", "jsonl")
	if err != nil || strings.Contains(out, "SELECT 1") || strings.Count(out, "\n") != 3 {
		t.Errorf("%v\n%s", err, out)
	}
	_, _, err = s.execute(s.config, "replay", "pay-1423", "--session", "s3")
	s.want(kube.Message(err), "error: pay-1423 has no session s3: see kubectl access sessions")
	_, _, err = s.execute(s.config, "replay", "pay-1423", "-o", "html")
	s.want(kube.Message(err), `error: unknown output format "html": use text or jsonl`)
	if out, _, err = s.execute(nowhere, "replay", "--from", s.folder.Path); err != nil || !strings.Contains(out, "SELECT 1") {
		t.Errorf("a folder: %v\n%s", err, out)
	}
	_, _, err = s.execute(s.config, "replay")
	s.want(kube.Message(err), "error: say what to replay: a request's name, --uid, or --from with a folder or a tar file")

	s.change("s1/00000001.seg", flipped)
	out, stderr, err := s.execute(s.config, "replay", "pay-1423")
	if kube.ExitCode(err) != 1 || !strings.Contains(stderr, "session s1: ") || !strings.Contains(out, "SELECT 2") {
		t.Errorf("a corrupt recording must fail, and block no other: %v %s\n%s", err, stderr, out)
	}
}

func TestREC2_VerifyTellsWholeFromRunningFromTamperedWith(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		do   func(s *shelf)
		code int
		want string
	}{
		"whole":   {func(*shelf) {}, 0, "session s2: OK: complete, and its chain is whole"},
		"changed": {func(s *shelf) { s.change("s1/00000001.seg", flipped) }, 1, "session s1: FAILED: corrupt (Flip) at segment 1"},
		"written anew, and signed by a key of one's own": {func(s *shelf) {
			key := s.folder.Key
			s.folder.Key = recordingtest.New(s.t).Key
			s.record("s2", "SELECT harmless", true)
			s.folder.Key = key
		}, 1, "session s2: FAILED"},
		"written anew, and whole in itself": {func(s *shelf) { s.record("s2", "SELECT harmless", true) }, 1, "session s2: FAILED"},
		"removed": {func(s *shelf) {
			if err := os.RemoveAll(filepath.Join(s.folder.Path, "s1")); err != nil {
				s.t.Fatal(err)
			}
		}, 1, "session s1: FAILED: error: 3 events were reported, and the recording is gone"},
		"without its signature": {func(s *shelf) {
			if err := os.Remove(filepath.Join(s.folder.Path, "s1", "00000001.sig")); err != nil {
				s.t.Fatal(err)
			}
		}, 3, "session s1: UNSIGNED"},
		"without the signature that the status has": {func(s *shelf) {
			s.status(s.get("pay-1423"), func(status *v1alpha1.TaskAccessRequestStatus) {
				status.Recording.Head[0].Sealed = &v1alpha1.SealedHead{Segment: 1, Sequence: 3, Hash: strings.Repeat("ab", 32), Key: "k", Signature: "c2ln"}
			})
		}, 1, "another than the one in the request's status"},
		"still running": {func(s *shelf) {
			running := s.record("s2", "SELECT 2", false)
			first := s.get("pay-1423").Status.Recording.Head[0]
			s.heads(record.Head{Session: first.Session, Sequence: first.Sequence, Hash: first.Hash, Complete: true}, running)
		}, 2, "session s2: INCOMPLETE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			test.do(s)
			out, _, err := s.execute(s.config, "verify", "pay-1423")
			if kube.ExitCode(err) != test.code || !strings.Contains(out, test.want) {
				t.Errorf("exit code %d (%v), want %d, and %q in\n%s", kube.ExitCode(err), err, test.code, test.want, out)
			}
			// A folder is compared with the request as its store is.
			out, _, err = s.execute(s.config, "verify", "pay-1423", "--from", s.folder.Path, "--key", s.keyFile())
			if kube.ExitCode(err) != test.code || !strings.Contains(out, test.want) {
				t.Errorf("from a folder: exit code %d (%v), want %d, and %q in\n%s", kube.ExitCode(err), err, test.code, test.want, out)
			}
		})
	}
}

func (s *shelf) keyFile() string {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "recording.pem")
	if err := os.WriteFile(file, []byte(s.folder.PublicPEM(s.t)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

func TestRecordingsAreVerifiedOffline(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	out, _, err := s.execute(nowhere, "verify", "--from", s.folder.Path, "--key", s.keyFile())
	if err != nil || strings.Count(out, ": OK:") != 2 {
		t.Errorf("%v\n%s", err, out)
	}
	if out, _, err = s.execute(nowhere, "verify", "--from", s.folder.Path); kube.ExitCode(err) != 3 || strings.Count(out, ": UNVERIFIED: ") != 2 {
		t.Errorf("without a key: %v\n%s", err, out)
	}
	if out, _, err = s.execute(s.config, "verify", "pay-1423", "--from", s.folder.Path); err != nil {
		t.Errorf("without a key, against the heads in the request's status: %v\n%s", err, out)
	}
	if _, _, err = s.execute(nowhere, "verify"); !strings.HasPrefix(kube.Message(err), "error: say what to verify") {
		t.Errorf("nothing: %v", err)
	}
	if _, _, err = s.execute(nowhere, "verify", "--from", s.folder.Path+"x"); !os.IsNotExist(err) || kube.ExitCode(err) != 1 {
		t.Errorf("no folder: %v", err)
	}
}

func TestSessionsAndSearchLookIntoEveryRequestOfTheNamespace(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.record("s3", "SELECT 3", false)
	out, stderr, err := s.execute(s.config, "sessions")
	if err != nil || !strings.HasPrefix(out, "REQUEST ") || strings.Count(out, "pay-1423") != 3 || strings.Count(out, "Complete") != 2 || strings.Count(out, "Live") != 1 {
		t.Errorf("%v %s\n%s", err, stderr, out)
	}
	if out, _, err = s.execute(s.config, "sessions", "pay-1423"); err != nil || !strings.HasPrefix(out, "SESSION ") {
		t.Errorf("%v\n%s", err, out)
	}
	out, _, err = s.execute(s.config, "search", "--text", "select 2", "--user", "bob", "--task", "PAY-1423", "-o", "jsonl")
	if err != nil || strings.Count(out, "\n") != 1 || !strings.Contains(out, `"session":"s2","event":2`) {
		t.Errorf("%v\n%s", err, out)
	}
	mallory := apitest.Front(t, s.server.User(t, "mallory"), s.answer)
	if _, _, err = s.execute(mallory, "search", "--text", "x"); !strings.HasPrefix(kube.Message(err), "Error from server (Forbidden): ") {
		t.Errorf("mallory: %v", err)
	}
}

func TestADeletedRequestsRecordingsAreReadByUID(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	if err := s.server.Client.Delete(t.Context(), s.get("pay-1423")); err != nil {
		t.Fatal(err)
	}
	s.deleted = true
	out, _, err := s.execute(s.config, "verify", "--uid", s.uid)
	if err != nil || strings.Count(out, ": OK:") != 2 {
		t.Errorf("%v\n%s", err, out)
	}
	_, _, err = s.execute(s.config, "replay", "pay-1423")
	s.want(kube.Message(err), `error: no request "pay-1423" in namespace `+s.namespace+": see kubectl access list -A")
}

func TestSessionsAreCompleted(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	for _, line := range [][]string{{"replay", "pay-1423", "--session", ""}, {"tail", "--from", s.folder.Path, "--session", ""}} {
		out, _, err := s.execute(s.config, append([]string{"__complete"}, line...)...)
		if err != nil || !strings.HasPrefix(out, "s1\ns2\n") {
			t.Errorf("%q: %v\n%s", line, err, out)
		}
	}
}
