package wire_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/record/store/wire"
)

func get(t *testing.T, client *http.Client, url string) (reused bool, err error) {
	t.Helper()
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }})
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return reused, err
	}
	return reused, response.Body.Close()
}

func client(t *testing.T, options wire.Options) *http.Client {
	t.Helper()
	transport, err := wire.Transport(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestAServerThatSaysNothingIsLeft(t *testing.T) {
	t.Parallel()
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close)
	if _, err := get(t, client(t, wire.Options{Idle: 50 * time.Millisecond}), silent.URL); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

func TestAnIdleConnectionHasItsWholeTimeAgain(t *testing.T) {
	t.Parallel()
	const idle, wait = time.Second, 700 * time.Millisecond
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-time.After(wait)
		}
	}))
	t.Cleanup(slow.Close)
	c := client(t, wire.Options{Idle: idle})
	if _, err := get(t, c, slow.URL); err != nil {
		t.Fatal(err)
	}
	<-time.After(wait)
	if reused, err := get(t, c, slow.URL+"/slow"); err != nil || !reused {
		t.Errorf("reused %t, %v", reused, err)
	}
}

func TestTheEnvironmentsProxyIsNotAsked(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	c := client(t, wire.Options{Addresses: []string{strings.TrimPrefix(server.URL, "http://")}})
	if _, err := get(t, c, "http://store.test/"); err != nil {
		t.Error(err)
	}
}

func TestDialingEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	transport, err := wire.Transport(wire.Options{Addresses: []string{"127.0.0.1:1", "127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := transport.DialContext(ctx, "tcp", "store.test:443"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
