package reader_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sallyport/sallyport/internal/reader/readerapi"
)

var schemaResource = schema.GroupResource{Group: "access.sallyport.dev", Resource: "taskaccessrequests"}

func TestRecordingsAreListedAndRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(bobs, "s-1", "first")
	w.record(bobs, "s-2", "second!")
	server := w.caller(w.front.client("front-proxy-client"))
	path := readerapi.Path("shop", "pay-1423")

	code, body := w.get(server, path, "alice")
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	var list readerapi.RecordingList
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	want := readerapi.RecordingList{
		TypeMeta:   metav1.TypeMeta{Kind: "RecordingList", APIVersion: "subresources.access.sallyport.dev/v1alpha1"},
		RequestUID: bobs, Items: []readerapi.Recording{{Session: "s-1", Bytes: 5}, {Session: "s-2", Bytes: 7}},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Fatal(diff)
	}
	for query, want := range map[string]string{
		"?session=s-2": "second!", "?session=s-2&offset=3": "ond!", "?session=s-2&offset=7": "", "?session=s-2&offset=700": "",
	} {
		if code, body := w.get(server, path+query, "alice"); code != http.StatusOK || body != want {
			t.Errorf("%s: %d %q", query, code, body)
		}
	}
}

func TestREC4_ALongRecordingIsReadInChunks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	content := strings.Repeat("0123456789abcdef", (readerapi.MaxChunk+readerapi.MaxChunk/2)/16)
	w.record(bobs, "long", content)
	server := w.caller(w.front.client("front-proxy-client"))
	read := 0
	for chunks := 0; ; chunks++ {
		_, body := w.get(server, fmt.Sprintf("%s?session=long&offset=%d", readerapi.Path("shop", "pay-1423"), read), "alice")
		if body == "" {
			if chunks != 2 {
				t.Errorf("%d chunks", chunks)
			}
			break
		}
		if content[read:read+len(body)] != body {
			t.Fatal("another content")
		}
		read += len(body)
	}
	if read != len(content) {
		t.Errorf("%d of %d bytes", read, len(content))
	}
}

func TestREC3_OneTenantNeverReadsAnothers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(others, "s-1", "the bank's secret")
	w.record(bobs, "s-2", "mine")
	for link, to := range map[string]string{
		filepath.Join(bobs, "link.rec"):   filepath.Join("..", others, "s-1.rec"),
		filepath.Join(bobs, "passwd.rec"): "/etc/passwd",
	} {
		if err := os.Symlink(to, filepath.Join(w.volume, link)); err != nil {
			t.Fatal(err)
		}
	}
	server := w.caller(w.front.client("front-proxy-client"))
	path := readerapi.Path("shop", "pay-1423")
	for _, hostile := range []string{
		readerapi.Path("bank", "pay-1423"),
		readerapi.Path("bank", "pay-1423") + "?session=s-1",
		path + "?session=s-1",
		path + "?session=link",
		path + "?session=passwd",
		path + "?session=../" + others + "/s-1",
		path + "?session=..%2f" + others + "%2fs-1",
		path + "?session=%00",
		path + "?session=s-2&session=s-1",
		path + "?session=s-2&uid=" + others,
		strings.Replace(path, "pay-1423", "..%2f..%2fbank", 1),
		strings.Replace(path, "shop", "shop%2f..%2fbank", 1),
		strings.Replace(path, "/namespaces/", "/namespaces//", 1),
		path + "/",
		path + "/../../../bank/taskaccessrequests/pay-1423/recording",
	} {
		code, body := w.get(server, hostile, "alice")
		if code == http.StatusOK || strings.Contains(body, "secret") || strings.Contains(body, "root:") {
			t.Errorf("%s: %d %s", hostile, code, body)
		}
	}
	if code, body := w.get(server, path, "alice"); code != http.StatusOK || strings.Contains(body, "link") {
		t.Errorf("links are listed: %d %s", code, body)
	}
}

func TestHeadersCountOnlyWithTheAPIServersCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(bobs, "s-1", "secret")
	path := readerapi.Path("shop", "pay-1423") + "?session=s-1"
	for name, client := range map[string]*http.Client{
		"no certificate":        w.caller(nil),
		"another authority":     w.caller(newSigner(t).client("front-proxy-client")),
		"another name under it": w.caller(w.front.client("kubelet")),
	} {
		if code, body := w.get(client, path, "alice"); code != http.StatusUnauthorized || strings.Contains(body, "secret") {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
	// The API server's own certificate, but nobody's name.
	server := w.caller(w.front.client("front-proxy-client"))
	for _, headers := range []http.Header{{}, {"X-Remote-User": {""}}, {"X-Remote-Group": {"system:masters"}}, {"Authorization": {"Bearer x"}}} {
		if code, _ := w.do(server, http.MethodGet, path, headers); code != http.StatusUnauthorized {
			t.Errorf("%v: %d", headers, code)
		}
	}
	if len(w.access.asked) != 0 {
		t.Error("somebody was authorised")
	}
}

func TestReadingIsAskedOfTheAPIServerForThisRequestAndThisPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := w.caller(w.front.client("front-proxy-client"))
	code, _ := w.do(server, http.MethodGet, readerapi.Path("shop", "pay-1423"), http.Header{
		"X-Remote-User": {"alice"}, "X-Remote-Uid": {"7"}, "X-Remote-Group": {"dba", "system:authenticated"},
		"X-Remote-Extra-Scopes": {"a"},
	})
	if code != http.StatusOK {
		t.Fatal(code)
	}
	want := []authorizationv1.SubjectAccessReviewSpec{{
		User: "alice", UID: "7", Groups: []string{"dba", "system:authenticated"},
		Extra: map[string]authorizationv1.ExtraValue{"scopes": {"a"}},
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: "get", Group: "access.sallyport.dev", Version: "v1alpha1", Resource: "taskaccessrequests",
			Subresource: "recording", Namespace: "shop", Name: "pay-1423",
		},
	}}
	if diff := cmp.Diff(want, w.access.asked); diff != "" {
		t.Fatal(diff)
	}
}

func TestWhoMayNotReadLearnsNothingOfWhatIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := w.caller(w.front.client("front-proxy-client"))
	for _, name := range []string{"pay-1423", "no-such-request"} {
		code, body := w.get(server, readerapi.Path("shop", name), "mallory")
		if code != http.StatusForbidden || !strings.Contains(body, "taskaccessrequests/recording") {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
	if code, _ := w.get(server, readerapi.Path("shop", "no-such-request"), "alice"); code != http.StatusNotFound {
		t.Errorf("alice: %d", code)
	}
	w.access.mu.Lock()
	w.access.err = errors.New("down")
	w.access.mu.Unlock()
	if code, _ := w.get(server, readerapi.Path("shop", "pay-1423"), "alice"); code != http.StatusServiceUnavailable {
		t.Errorf("with the API server down: %d", code)
	}
}

func TestARequestWithoutRecordingsHasAnEmptyList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := w.caller(w.front.client("front-proxy-client"))
	if code, body := w.get(server, readerapi.Path("shop", "pay-1423"), "alice"); code != http.StatusOK || !strings.Contains(body, `"items":[]`) {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := w.get(server, readerapi.Path("shop", "pay-1423")+"?session=s-1", "alice"); code != http.StatusNotFound {
		t.Errorf("a session of none: %d", code)
	}
}

func TestNothingCanBeWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(bobs, "s-1", "x")
	server := w.caller(w.front.client("front-proxy-client"))
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead} {
		code, _ := w.do(server, method, readerapi.Path("shop", "pay-1423")+"?session=s-1", http.Header{"X-Remote-User": {"alice"}})
		if code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, code)
		}
	}
}

func TestEveryReadIsLoggedWithoutItsContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(bobs, "s-1", "the-content")
	server := w.caller(w.front.client("front-proxy-client"))
	w.get(server, readerapi.Path("shop", "pay-1423")+"?session=s-1", "alice")
	w.get(server, readerapi.Path("shop", "pay-1423")+"?session=s-1", "mallory")
	w.mu.Lock()
	defer w.mu.Unlock()
	all := strings.Join(w.logs, "\n")
	for _, part := range []string{`"user":"alice"`, `"request":"pay-1423"`, `"requestUID":"` + bobs, `"session":"s-1"`, `"bytes":11`, "refused a reader"} {
		if !strings.Contains(all, part) {
			t.Errorf("the log lacks %s:\n%s", part, all)
		}
	}
	if strings.Contains(all, "the-content") {
		t.Error("the log has the content")
	}
}

func TestDiscoveryNamesTheOneSubresourceToAnybody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	anybody := w.caller(nil)
	for path, part := range map[string]string{
		"/apis": `"kind":"APIGroupList"`,
		"/apis/subresources.access.sallyport.dev":          `"kind":"APIGroup"`,
		"/apis/subresources.access.sallyport.dev/v1alpha1": `"name":"taskaccessrequests/recording"`,
		"/healthz": "ok",
	} {
		if code, body := w.do(anybody, http.MethodGet, path, http.Header{}); code != http.StatusOK || !strings.Contains(body, part) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	server := w.caller(w.front.client("front-proxy-client"))
	for _, path := range []string{"/", "/api", "/openapi/v2", "/openapi/v3", "/apis/other", "/metrics", "/debug/pprof"} {
		if code, _ := w.get(server, path, "alice"); code != http.StatusNotFound {
			t.Errorf("%s: %d", path, code)
		}
	}
}
