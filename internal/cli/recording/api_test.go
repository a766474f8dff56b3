package recording_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/sallyport/sallyport/internal/cli/recording"
	"github.com/sallyport/sallyport/internal/reader/readerapi"
	"github.com/sallyport/sallyport/internal/record/store"
)

// served is an API with one object, whole in as many chunks as it takes, and others that
// fail.
func served(t *testing.T, content string) *rest.Config {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		if r.URL.Path != readerapi.Path("shop", "pay-1423") && r.URL.Path != readerapi.PathOfUID("u1") {
			http.NotFound(w, r)
			return
		}
		switch {
		case !query.Has("session"):
			_ = json.NewEncoder(w).Encode(readerapi.RecordingList{
				RequestUID: "u1" + query.Get("uid"), Store: "volume", Items: []readerapi.Recording{{Session: "s1"}, {Session: "../s2"}}, Keys: []string{"key"},
			})
		case query.Get("session") == "away":
			http.Error(w, "service unavailable", http.StatusServiceUnavailable)
		case query.Get("session") == "forbidden":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			status := apierrors.NewForbidden(schema.GroupResource{Resource: "taskaccessrequests"}, "pay-1423", errors.New("bob cannot")).Status()
			status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
			_ = json.NewEncoder(w).Encode(status)
		case query.Get("session") != "s1":
			http.NotFound(w, r)
		case !query.Has("object"):
			_ = json.NewEncoder(w).Encode(readerapi.ObjectList{Items: []readerapi.Object{
				{Name: "00000001.seg", Size: int64(len(content))}, {Name: "../../etc/passwd"}, {Name: "s2.rec"}, {Name: "s1.rec", Size: 3},
			}})
		case query.Get("object") == "00000001.seg":
			offset, err := strconv.Atoi(query.Get("offset"))
			if err != nil {
				t.Errorf("offset: %v", err)
			}
			offset = min(offset, len(content))
			_, _ = io.WriteString(w, content[offset:min(offset+readerapi.MaxChunk, len(content))])
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}
}

func of(t *testing.T, config *rest.Config) *recording.API {
	t.Helper()
	api, err := recording.Of(config, "shop", "pay-1423")
	if err != nil {
		t.Fatal(err)
	}
	return api
}

func TestAnObjectIsReadInChunksToItsEndFromAnyOffset(t *testing.T) {
	t.Parallel()
	chunk := strings.Repeat("0123456789abcdef", readerapi.MaxChunk/16)
	for _, content := range []string{"", "abc", chunk, chunk + "more"} {
		api := of(t, served(t, content))
		for _, offset := range []int{0, 2, len(content), len(content) + 5} {
			in, err := api.Open(t.Context(), "s1/00000001.seg", int64(offset))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(in)
			if want := content[min(offset, len(content)):]; err != nil || string(got) != want {
				t.Errorf("from %d: %d bytes, %v, want %d", offset, len(got), err, len(want))
			}
			if err := in.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestREC3_WhatAServerListsIsNamesOfRecordingsOnly(t *testing.T) {
	t.Parallel()
	api := of(t, served(t, "abc"))
	sessions, err := api.Sessions(t.Context())
	if diff := cmp.Diff([]string{"s1"}, sessions); err != nil || diff != "" {
		t.Error(err, diff)
	}
	objects, err := api.List(t.Context(), "s1")
	if diff := cmp.Diff([]store.Object{{Name: "s1/00000001.seg", Size: 3}, {Name: "s1.rec", Size: 3}}, objects); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for _, name := range []string{"../../etc/passwd", "s1/../s2/00000001.seg", "s1"} {
		if _, err := api.Open(t.Context(), name, 0); !errors.Is(err, store.ErrName) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := api.List(t.Context(), "../s2"); !errors.Is(err, store.ErrIdentifier) {
		t.Error(err)
	}
}

func TestErrorsOfTheAPIStayItsOwn(t *testing.T) {
	t.Parallel()
	api := of(t, served(t, "abc"))
	if _, err := api.Open(t.Context(), "s2/00000001.seg", 0); !apierrors.IsNotFound(err) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such session: %v", err)
	}
	if _, err := api.List(t.Context(), "forbidden"); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "bob cannot") {
		t.Errorf("forbidden: %v", err)
	}
	if _, err := api.List(t.Context(), "away"); err == nil || !strings.Contains(err.Error(), "kubectl get apiservice v1alpha1.subresources.access.sallyport.dev") {
		t.Errorf("reader away: %v", err)
	}
}

func TestARequestThatIsGoneIsAskedForByItsUID(t *testing.T) {
	t.Parallel()
	config := served(t, "abc")
	for name, want := range map[string]string{"": "u1", "pay-1423": "u1u1"} {
		api, err := recording.OfUID(config, "shop", name, "u1")
		if err != nil {
			t.Fatal(err)
		}
		about, err := api.About(t.Context())
		if err != nil || about.RequestUID != want {
			t.Errorf("%q: %+v, %v", name, about, err)
		}
	}
	if _, err := recording.OfUID(config, "shop", "", "../u1"); !errors.Is(err, store.ErrIdentifier) {
		t.Error(err)
	}
}
