package audit

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	testSource = "urn:sallyport:0123456789abcdef"
	secretOne  = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	secretTwo  = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="
)

// tb is what testing.T and rapid.T share.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// got is an event as a receiver sees it.
type got struct {
	ID      string         `json:"id"`
	Type    Type           `json:"type"`
	Subject string         `json:"subject"`
	Data    map[string]any `json:"data"`
}

// receiver is a webhook's other end: it verifies as Standard Webhooks says, and then
// answers as the test wants.
type receiver struct {
	*httptest.Server
	secret string

	mu     sync.Mutex
	answer func(got) int
	events []got
	forged []string
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{secret: secretOne, answer: func(got) int { return http.StatusNoContent }}
	r.Server = httptest.NewTLSServer(r)
	r.Config.ErrorLog = nil
	t.Cleanup(r.Close)
	return r
}

// gone is an answer that is none: the connection breaks.
const gone = -1

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	var e got
	err := verifySignature(r.secret, request.Header, body)
	if err == nil {
		err = json.Unmarshal(body, &e)
	}
	if want := "application/cloudevents+json; charset=utf-8"; err == nil && request.Header.Get("Content-Type") != want {
		err = fmt.Errorf("content type %q", request.Header.Get("Content-Type"))
	}
	r.mu.Lock()
	if err != nil {
		r.forged = append(r.forged, err.Error())
		r.mu.Unlock()
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	answer := r.answer
	r.mu.Unlock()
	status := answer(e)
	if status == gone {
		panic(http.ErrAbortHandler)
	}
	if status/100 == 2 {
		r.mu.Lock()
		r.events = append(r.events, e)
		r.mu.Unlock()
	}
	w.WriteHeader(status)
}

func (r *receiver) answers(answer func(got) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *receiver) received() []got {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]got{}, r.events...)
}

// verifySignature is Standard Webhooks 1.0.0, "Verifying signatures", from its text.
func verifySignature(secret string, header http.Header, body []byte) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	stamp, err := strconv.ParseInt(header.Get("webhook-timestamp"), 10, 64)
	if err != nil {
		return err
	}
	if age := time.Since(time.Unix(stamp, 0)); age > 5*time.Minute || age < -5*time.Minute {
		return fmt.Errorf("signed %s ago", age)
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", header.Get("webhook-id"), stamp, body)
	want := []byte(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	for word := range strings.FieldsSeq(header.Get("webhook-signature")) {
		version, signature, _ := strings.Cut(word, ",")
		if version == "v1" && subtle.ConstantTimeCompare([]byte(signature), want) == 1 {
			return nil
		}
	}
	return fmt.Errorf("no signature fits: %q", header.Get("webhook-signature"))
}

// world is a folder with the files of a manager, and streams over it.
type world struct {
	dir      string
	registry *prometheus.Registry
	stdout   io.Writer
	now      func() time.Time
}

func newWorld(t testing.TB, r *receiver) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), stdout: io.Discard, now: time.Now}
	w.write(t, "secret", []byte(secretOne+"\n"))
	if r != nil {
		w.write(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw}))
	}
	return w
}

func (w *world) write(t tb, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), content, 0o600); err != nil {
		t.Fatalf("write %s: %v", name, err)
	}
}

func (w *world) open(args ...string) (*Stream, error) {
	var f Flags
	flags := flag.NewFlagSet("test", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	f.Bind(flags)
	args = append([]string{
		"--audit-spool-dir=" + filepath.Join(w.dir, "spool"), "--audit-webhook-secret-file=" + filepath.Join(w.dir, "secret"),
	}, args...)
	if _, err := os.Stat(filepath.Join(w.dir, "ca.pem")); err == nil {
		args = append(args, "--audit-webhook-ca-file="+filepath.Join(w.dir, "ca.pem"))
	}
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	w.registry = prometheus.NewRegistry()
	return f.Open(Options{
		Source: func() string { return testSource }, Stdout: w.stdout, Metrics: w.registry, Now: w.now, Log: logr.Discard(),
		RetryFirst: time.Millisecond, RetryMost: 4 * time.Millisecond, Grace: 20 * time.Millisecond,
	})
}

// start opens and starts a stream; stop ends it as the end of a manager does.
func (w *world) start(t tb, args ...string) (s *Stream, stop func()) {
	t.Helper()
	s, err := w.open(args...)
	if err != nil {
		t.Fatalf("open the stream: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Start(ctx); err != nil {
			t.Errorf("the stream ended: %v", err)
		}
	}()
	return s, sync.OnceFunc(func() {
		cancel()
		<-done
	})
}

// count reads the counter of a sink's result.
func (w *world) count(t tb, result string) float64 {
	t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatalf("gather: %v", err)
	}
	sum := 0.0
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "result" && label.GetValue() == result {
					sum += metric.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}

func numbered(subject string, n int) Event {
	return New(OperationDenied, Subject{Namespace: "payments", Request: subject, UID: "uid-" + subject}, time.Unix(1700000000, 0),
		Operation{Operation: subject + "/" + strconv.Itoa(n), Message: strconv.Itoa(n)}, strconv.Itoa(n))
}

func ids(events []got) []string {
	out := []string{}
	for _, e := range events {
		out = append(out, e.ID)
	}
	return out
}

func eventually(t testing.TB) *gomega.WithT { return gomega.NewWithT(t) }

// splitLines is the JSON lines of a file or stdout.
func splitLines(t tb, content []byte) []got {
	t.Helper()
	var events []got
	for line := range bytes.Lines(content) {
		var e got
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		events = append(events, e)
	}
	return events
}
