package reader

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/sallyport/sallyport/internal/audit"
)

type everybody struct{}

func (everybody) Create(_ context.Context, review *authorizationv1.SubjectAccessReview, _ metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error) {
	review.Status.Allowed = true
	return review, nil
}

type deaf struct{}

func (deaf) Emit(...audit.Event) {}

func TestREC3_WhoReadsSlowlyKeepsNobodyElseFromReading(t *testing.T) {
	t.Parallel()
	slow, begun := make(chan struct{}), make(chan struct{}, maxReads)
	h := New(Handler{
		Authenticate: authenticator.RequestFunc(func(r *http.Request) (*authenticator.Response, bool, error) {
			return &authenticator.Response{User: &user.DefaultInfo{Name: r.Header.Get("X-Remote-User")}}, true, nil
		}),
		Access: everybody{}, Audit: deaf{}, Now: time.Now, Log: logr.Discard(),
		Request: func(_ context.Context, _, name string) (Request, error) {
			if name == "slow" {
				begun <- struct{}{}
				<-slow
			}
			return Request{UID: "6f1f"}, nil
		},
		Known:      func(context.Context, string) (Request, error) { return Request{}, nil },
		Recordings: func(context.Context, Request) (Recordings, error) { return none{}, nil },
		Keys:       func() ([]string, error) { return nil, nil },
	})
	get := func(person, name string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, versionPath+"/namespaces/shop/taskaccessrequests/"+name+"/recording", nil)
		r.Header.Set("X-Remote-User", person)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	var running sync.WaitGroup
	for range maxReadsOfOne {
		running.Go(func() { get("mallory", "slow") })
	}
	for range maxReadsOfOne {
		<-begun
	}
	if code := get("mallory", "pay-1423"); code != http.StatusTooManyRequests {
		t.Errorf("one more of hers: %d", code)
	}
	if code := get("alice", "pay-1423"); code != http.StatusOK {
		t.Errorf("alice: %d", code)
	}
	close(slow)
	running.Wait()
	if code := get("mallory", "pay-1423"); code != http.StatusOK {
		t.Errorf("afterwards: %d", code)
	}
}
