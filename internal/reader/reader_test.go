package reader_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sallyport/sallyport/internal/audit"
	"github.com/sallyport/sallyport/internal/reader/readerapi"
)

var schemaResource = schema.GroupResource{Group: "access.sallyport.dev", Resource: "taskaccessrequests"}

func TestRecordingsAreListedAndRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(bobs, "s-1.rec", "first")
	w.record(bobs, "s-2/00000001.seg", "second!")
	w.record(bobs, "s-2/00000001.sig", "signed")
	w.record(bobs, "s-2/journal-00000002", "live")
	server := w.caller(w.front.client("front-proxy-client"))
	path := readerapi.Path("shop", "pay-1423")

	var list readerapi.RecordingList
	w.decode(server, path, "alice", &list)
	want := readerapi.RecordingList{
		TypeMeta:   metav1.TypeMeta{Kind: "RecordingList", APIVersion: "subresources.access.sallyport.dev/v1alpha1"},
		RequestUID: bobs, Store: "volume", Items: []readerapi.Recording{{Session: "s-1"}, {Session: "s-2"}}, Keys: []string{"a public key"},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Error(diff)
	}
	var objects readerapi.ObjectList
	w.decode(server, path+"?session=s-2", "alice", &objects)
	wantObjects := readerapi.ObjectList{
		TypeMeta:   metav1.TypeMeta{Kind: "ObjectList", APIVersion: "subresources.access.sallyport.dev/v1alpha1"},
		RequestUID: bobs, Session: "s-2", Items: []readerapi.Object{{Name: "00000001.seg", Size: 7}, {Name: "00000001.sig", Size: 6}, {Name: "journal-00000002", Size: 4}},
	}
	if diff := cmp.Diff(wantObjects, objects); diff != "" {
		t.Error(diff)
	}
	for query, want := range map[string]string{
		"?session=s-2&object=00000001.seg": "second!", "?session=s-2&object=00000001.seg&offset=3": "ond!",
		"?session=s-2&object=00000001.seg&offset=7": "", "?session=s-2&object=00000001.seg&offset=700": "",
		"?session=s-1&object=s-1.rec": "first", "?session=s-2&object=journal-00000002": "live",
	} {
		if code, body := w.get(server, path+query, "alice"); code != http.StatusOK || body != want {
			t.Errorf("%s: %d %q", query, code, body)
		}
	}
}

func TestOfAJournalWhatIsWrittenIsSentAndNotTheRoomBehindIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	zeros := strings.Repeat("\x00", 200_000)
	event := "an event with\x00" + zeros + "zeros\n"
	w.record(bobs, "s-1/journal-00000001", event+zeros)
	w.record(bobs, "s-1/00000001.seg", event+zeros)
	server := w.caller(w.front.client("front-proxy-client"))
	path := readerapi.Path("shop", "pay-1423") + "?session=s-1&object="
	for query, want := range map[string]string{
		"journal-00000001": event, "journal-00000001&offset=3": event[3:], fmt.Sprintf("journal-00000001&offset=%d", len(event)): "",
		"00000001.seg": event + zeros,
	} {
		if code, body := w.get(server, path+query, "alice"); code != http.StatusOK || body != want {
			t.Errorf("%s: %d, %d bytes, want %d", query, code, len(body), len(want))
		}
	}
}

func TestABucketIsReadAsTheVolumeIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	server := w.caller(w.front.client("front-proxy-client"))
	var list readerapi.RecordingList
	w.decode(server, readerapi.Path("shop", "pay-1500"), "alice", &list)
	if len(list.Items) != 0 || list.Removed == nil || list.Removed.Unix() != 1e9 {
		t.Errorf("after retention: %+v", list)
	}
	w.keep(w.archive, archived, "s-3/00000001.seg", "in the bucket")
	list = readerapi.RecordingList{}
	w.decode(server, readerapi.Path("shop", "pay-1500"), "alice", &list)
	if list.Store != "archive" || len(list.Items) != 1 || list.Removed != nil {
		t.Errorf("%+v", list)
	}
	if _, body := w.get(server, readerapi.Path("shop", "pay-1500")+"?session=s-3&object=00000001.seg", "alice"); body != "in the bucket" {
		t.Error(body)
	}
	code, body := w.get(server, readerapi.Path("shop", "pay-1600"), "alice")
	if code != http.StatusServiceUnavailable || strings.Contains(body, "connection refused") {
		t.Errorf("a store that does not answer: %d %s", code, body)
	}
}

func TestRecordingsOfADeletedRequestAreReadByUID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keep(w.archive, deleted, "s-9/00000001.seg", "long ago")
	w.keep(w.archive, orphan, "s-8/00000001.seg", "found")
	w.record(others, "s-1.rec", "the bank's")
	server := w.caller(w.front.client("front-proxy-client"))
	const segment = "?session=s-9&object=00000001.seg"

	if code, body := w.get(server, readerapi.PathOfUID(deleted)+segment, "auditor"); code != http.StatusOK || body != "long ago" {
		t.Errorf("by UID: %d %s", code, body)
	}
	// Of which nothing is written down is found, though another store is away.
	if code, body := w.get(server, readerapi.PathOfUID(orphan)+"?session=s-8&object=00000001.seg", "auditor"); code != http.StatusOK || body != "found" {
		t.Errorf("an orphan: %d %s", code, body)
	}
	// Of what is nowhere, nobody can say that it is not in the one that is away.
	if code, _ := w.get(server, readerapi.PathOfUID("0a1b2c3d-0000-4000-8000-00000000000f"), "auditor"); code != http.StatusServiceUnavailable {
		t.Errorf("nowhere: %d", code)
	}
	if code, body := w.get(server, readerapi.PathOfUID(deleted)+segment, "alice"); code != http.StatusForbidden || !strings.Contains(body, "for all namespaces") {
		t.Errorf("who may read in one namespace: %d %s", code, body)
	}
	// In its own namespace the UID of a request that had that name is enough.
	if code, body := w.get(server, readerapi.Path("shop", "pay-1423")+segment+"&uid="+deleted, "alice"); code != http.StatusOK || body != "long ago" {
		t.Errorf("by name and UID: %d %s", code, body)
	}
	for _, uid := range []string{others, orphan} {
		if code, body := w.get(server, readerapi.Path("shop", "pay-1423")+"?uid="+uid, "alice"); code != http.StatusNotFound {
			t.Errorf("another's UID under one's own name: %d %s", code, body)
		}
	}
}

func TestREC4_ALongObjectIsReadInChunks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	content := strings.Repeat("0123456789abcdef", (readerapi.MaxChunk+readerapi.MaxChunk/2)/16)
	w.record(bobs, "long.rec", content)
	server := w.caller(w.front.client("front-proxy-client"))
	read := 0
	for chunks := 1; ; chunks++ {
		_, body := w.get(server, fmt.Sprintf("%s?session=long&object=long.rec&offset=%d", readerapi.Path("shop", "pay-1423"), read), "alice")
		if content[read:read+len(body)] != body {
			t.Fatal("another content")
		}
		read += len(body)
		if len(body) < readerapi.MaxChunk {
			if chunks != 2 {
				t.Errorf("%d chunks", chunks)
			}
			break
		}
	}
	if read != len(content) {
		t.Errorf("%d of %d bytes", read, len(content))
	}
}

func TestREC3_OneTenantNeverReadsAnothers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(others, "s-1.rec", "the bank's secret")
	w.record(others, "s-1/00000001.seg", "the bank's secret")
	w.record(bobs, "s-2.rec", "mine")
	w.record(bobs, "s-2/00000001.seg", "mine")
	for link, to := range map[string]string{
		"link.rec":             filepath.Join("..", others, "s-1.rec"),
		"passwd.rec":           "/etc/passwd",
		"linked":               filepath.Join("..", others, "s-1"),
		"s-2/00000002.seg":     "/etc/passwd",
		"s-2/journal-00000003": filepath.Join("..", "..", others, "s-1.rec"),
	} {
		if err := os.Symlink(to, filepath.Join(w.volume, bobs, link)); err != nil {
			t.Fatal(err)
		}
	}
	server := w.caller(w.front.client("front-proxy-client"))
	path := readerapi.Path("shop", "pay-1423")
	for _, hostile := range []string{
		readerapi.Path("bank", "pay-1423"),
		readerapi.Path("bank", "pay-1423") + "?session=s-1&object=s-1.rec",
		readerapi.PathOfUID(others),
		readerapi.PathOfUID(others) + "?session=s-1&object=s-1.rec",
		readerapi.PathOfUID("..%2f" + others),
		path + "?session=s-1",
		path + "?session=link&object=link.rec",
		path + "?session=passwd&object=passwd.rec",
		path + "?session=linked",
		path + "?session=linked&object=00000001.seg",
		path + "?session=s-2&object=00000002.seg",
		path + "?session=s-2&object=journal-00000003",
		path + "?session=s-2&object=../../" + others + "/s-1.rec",
		path + "?session=s-2&object=..%2f..%2f" + others + "%2fs-1.rec",
		path + "?session=s-2&object=s-1.rec",
		path + "?session=s-2&object=00000001.seg%00",
		path + "?session=s-2&object=",
		path + "?object=s-2.rec",
		path + "?session=s-2&offset=1",
		path + "?session=../" + others + "/s-1",
		path + "?session=..%2f" + others + "%2fs-1",
		path + "?session=%00",
		path + "?session=s-2&session=s-1",
		path + "?session=s-2&uid=" + others,
		path + "?uid=../" + others,
		path + "?uid=",
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
	for _, listing := range []string{path, path + "?session=s-2"} {
		if code, body := w.get(server, listing, "alice"); code != http.StatusOK || strings.Contains(body, "link") || strings.Contains(body, "journal") || strings.Contains(body, "00000002") {
			t.Errorf("links are listed: %d %s", code, body)
		}
	}
}

func TestHeadersCountOnlyWithTheAPIServersCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(bobs, "s-1.rec", "secret")
	path := readerapi.Path("shop", "pay-1423") + "?session=s-1&object=s-1.rec"
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
	w.record(bobs, "s-1.rec", "x")
	server := w.caller(w.front.client("front-proxy-client"))
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead} {
		code, _ := w.do(server, method, readerapi.Path("shop", "pay-1423")+"?session=s-1", http.Header{"X-Remote-User": {"alice"}})
		if code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, code)
		}
	}
}

func TestEveryReadIsLoggedAndAuditedWithoutItsContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(bobs, "s-1.rec", "the-content")
	server := w.caller(w.front.client("front-proxy-client"))
	object := readerapi.Path("shop", "pay-1423") + "?session=s-1&object=s-1.rec"
	w.get(server, object, "alice")
	w.get(server, object, "mallory")
	w.get(server, readerapi.Path("shop", "pay-1423"), "alice")
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
	want := []audit.Event{
		{Type: audit.RecordingRead, Subject: audit.Subject{Namespace: "shop", Request: "pay-1423", UID: bobs}, Data: audit.Read{User: "alice", Session: "s-1", Object: "s-1.rec", Bytes: 11}},
		{Type: audit.RecordingRead, Subject: audit.Subject{Namespace: "shop", Request: "pay-1423"}, Data: audit.Read{
			User: "mallory", Session: "s-1", Object: "s-1.rec",
			Refused: `taskaccessrequests/recording.access.sallyport.dev "pay-1423" is forbidden: RBAC verb get on taskaccessrequests/recording of group access.sallyport.dev is needed`,
		}},
		{Type: audit.RecordingRead, Subject: audit.Subject{Namespace: "shop", Request: "pay-1423", UID: bobs}, Data: audit.Read{User: "alice"}},
	}
	if diff := cmp.Diff(want, w.events, cmpopts.IgnoreFields(audit.Event{}, "ID", "Time")); diff != "" {
		t.Error(diff)
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
