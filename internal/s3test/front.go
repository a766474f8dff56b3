package s3test

import (
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Fault is what a front does with a call.
type Fault int

// The faults of a front.
const (
	// Pass does the call as the server would.
	Pass Fault = iota
	// InternalError answers 500 in place of the server.
	InternalError
	// SlowDown answers 503 in place of the server.
	SlowDown
	// Forbidden answers 403 in place of the server, as of an expired permission.
	Forbidden
	// Conflict answers 409, as of two writers of one name at the same time.
	Conflict
	// Reset resets the connection before the server has heard of the call.
	Reset
	// Stall does not answer, nor tell the server, until the client goes.
	Stall
	// CutRequest resets the connection after half of the request's body.
	CutRequest
	// CutResponse resets the connection after half of the response's body.
	CutResponse
	// LostResponse resets the connection after the server has done the call.
	LostResponse
	// StallResponse lets the server do the call, and does not answer until the client goes.
	StallResponse
)

// Call is one request to a front.
type Call struct {
	// Number of the call at this front, from 1.
	Number int
	Method string
	// Path is "/bucket/key", decoded.
	Path   string
	Query  url.Values
	Header http.Header
}

// Front stands between a client and the server, and fails calls when it is asked to.
type Front struct {
	// Endpoint is the URL for the client. The server's authority vouches for it.
	Endpoint string
	// Address is where it listens.
	Address string

	server   *httptest.Server
	upstream *url.URL
	proxy    *httputil.ReverseProxy
	closing  chan struct{}

	mu    sync.Mutex
	rule  func(Call) Fault
	calls []Call
}

// Front starts a front of the server until the test ends. It passes all calls until
// Rule says otherwise.
func (s *Server) Front(t testing.TB) *Front {
	t.Helper()
	upstream, err := url.Parse(s.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	transport := s.client.Transport.(*http.Transport).Clone()
	transport.DisableCompression = true
	f := &Front{
		upstream: upstream, closing: make(chan struct{}), rule: func(Call) Fault { return Pass },
		proxy: &httputil.ReverseProxy{
			Transport: transport,
			// The client signed its own idea of the host.
			Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(upstream); r.Out.Host = r.In.Host },
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { reset(w) },
		},
	}
	f.server = httptest.NewUnstartedServer(f)
	f.server.Config.ErrorLog = nil
	if s.certificate != nil {
		f.server.TLS = &tls.Config{Certificates: []tls.Certificate{*s.certificate}}
		f.server.StartTLS()
	} else {
		f.server.Start()
	}
	f.Address = f.server.Listener.Addr().String()
	f.Endpoint = upstream.Scheme + "://" + f.Address
	t.Cleanup(func() {
		close(f.closing)
		f.server.CloseClientConnections()
		f.server.Close()
		transport.CloseIdleConnections()
	})
	return f
}

// Rule decides the fault of each call from now on. It is called for one call at a time.
func (f *Front) Rule(rule func(Call) Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rule = rule
}

// Calls are those that came so far.
func (f *Front) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Call(nil), f.calls...)
}

func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	call := Call{Number: len(f.calls) + 1, Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Header: r.Header.Clone()}
	f.calls = append(f.calls, call)
	fault := f.rule(call)
	f.mu.Unlock()

	switch fault {
	case Pass:
		f.proxy.ServeHTTP(w, r)
	case InternalError:
		refuse(w, r, http.StatusInternalServerError, "InternalError")
	case SlowDown:
		refuse(w, r, http.StatusServiceUnavailable, "SlowDown")
	case Forbidden:
		refuse(w, r, http.StatusForbidden, "AccessDenied")
	case Conflict:
		refuse(w, r, http.StatusConflict, "ConditionalRequestConflict")
	case Reset:
		reset(w)
	case Stall:
		f.hang(r)
	case CutRequest:
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(r.Body, r.ContentLength/2), broken{}), r.Body}
		f.proxy.ServeHTTP(httptest.NewRecorder(), r)
		reset(w)
	case CutResponse:
		f.cut(w, r)
	case LostResponse:
		f.proxy.ServeHTTP(httptest.NewRecorder(), r)
		reset(w)
	case StallResponse:
		f.proxy.ServeHTTP(httptest.NewRecorder(), r)
		f.hang(r)
	}
}

// hang waits for the client to go. The server only notices that when it has read the body.
func (f *Front) hang(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	select {
	case <-r.Context().Done():
	case <-f.closing:
	}
}

// cut sends the whole header, and half of the body.
func (f *Front) cut(w http.ResponseWriter, r *http.Request) {
	whole := httptest.NewRecorder()
	f.proxy.ServeHTTP(whole, r)
	maps.Copy(w.Header(), whole.Header())
	w.WriteHeader(whole.Code)
	_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
	_ = http.NewResponseController(w).Flush()
	reset(w)
}

// refuse answers as S3 does.
func refuse(w http.ResponseWriter, r *http.Request, status int, code string) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = io.Copy(w, strings.NewReader("<Error><Code>"+code+"</Code><Message>a fault of the test's front</Message></Error>"))
}

// reset ends the client's connection with RST.
func reset(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // a recorder: nobody listens
	}
	raw := connection
	if secured, ok := connection.(*tls.Conn); ok {
		raw = secured.NetConn()
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("cut by the test's front") }
