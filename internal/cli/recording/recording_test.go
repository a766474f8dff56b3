package recording

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/sallyport/sallyport/internal/reader/readerapi"
)

// api serves one recording in chunks of at most three bytes.
func api(t *testing.T, content string) *Source {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/apis/subresources.access.sallyport.dev/v1alpha1/namespaces/shop/taskaccessrequests/pay-1423/recording" {
			http.NotFound(w, r)
			return
		}
		switch r.URL.Query().Get("session") {
		case "":
			_ = json.NewEncoder(w).Encode(readerapi.RecordingList{RequestUID: "u1", Items: []readerapi.Recording{{Session: "s1", Bytes: int64(len(content))}}})
		case "s1":
			offset, err := strconv.Atoi(r.URL.Query().Get("offset"))
			if err != nil {
				t.Errorf("offset: %v", err)
			}
			_, _ = io.WriteString(w, content[offset:min(offset+3, len(content))])
		case "away":
			http.Error(w, "service unavailable", http.StatusServiceUnavailable)
		case "forbidden":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			status := apierrors.NewForbidden(schema.GroupResource{Resource: "taskaccessrequests"}, "pay-1423", errors.New("bob cannot")).Status()
			status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
			_ = json.NewEncoder(w).Encode(status)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	source, err := Of(&rest.Config{Host: server.URL}, "shop", "pay-1423")
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestARecordingIsReadInChunksToItsEnd(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "abc", "abcdefgh", strings.Repeat("0123456789", 20)} {
		source := api(t, content)
		list, err := source.List(t.Context())
		if err != nil || len(list.Items) != 1 || list.Items[0].Bytes != int64(len(content)) || list.RequestUID != "u1" {
			t.Fatalf("list %+v, %v", list, err)
		}
		recording, err := source.Open(t.Context(), list.Items[0].Session)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(recording)
		if err != nil || string(got) != content {
			t.Errorf("got %q, %v, want %q", got, err, content)
		}
		if err := recording.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestREC3_ASessionIsAnIdentifierAndWhatIsMissingIsSaid(t *testing.T) {
	t.Parallel()
	source := api(t, "abc")
	if _, err := source.Open(t.Context(), "../../etc/passwd"); err == nil {
		t.Error("a path is taken for a session")
	}
	if _, err := source.Open(t.Context(), "s2"); !apierrors.IsNotFound(err) {
		t.Errorf("no such session: %v", err)
	}
	if _, err := source.Open(t.Context(), "forbidden"); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "bob cannot") {
		t.Errorf("forbidden: %v", err)
	}
	if _, err := source.Open(t.Context(), "away"); err == nil || !strings.Contains(err.Error(), "kubectl get apiservice v1alpha1.subresources.access.sallyport.dev") {
		t.Errorf("reader away: %v", err)
	}
}
