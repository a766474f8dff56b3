package apitest

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"k8s.io/client-go/rest"
)

// Front is the API server as a user, with a handler for what the test's API server
// has nobody behind for: it says whether it has answered.
func Front(t testing.TB, user *rest.Config, answered func(http.ResponseWriter, *http.Request) bool) *rest.Config {
	t.Helper()
	transport, err := rest.TransportFor(user)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(user.Host)
	if err != nil {
		t.Fatal(err)
	}
	api := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answered(w, r) {
			api.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}
}
