package reader_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/sallyport/sallyport/internal/audit"
	"github.com/sallyport/sallyport/internal/keys"
	"github.com/sallyport/sallyport/internal/reader"
	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/volume"
)

const (
	bobs   = "0a1b2c3d-0000-4000-8000-000000000001"
	others = "0a1b2c3d-0000-4000-8000-000000000002"
	// archived is in a bucket; deleted, and orphan, of which nothing is written down, are
	// of requests that are gone.
	archived = "0a1b2c3d-0000-4000-8000-000000000003"
	deleted  = "0a1b2c3d-0000-4000-8000-000000000004"
	orphan   = "0a1b2c3d-0000-4000-8000-000000000005"
)

// signer is an authority of client certificates.
type signer struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "front-proxy-ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	return &signer{t: t, certificate: certify(t, template, template, key, key), key: key}
}

func (s *signer) client(name string) *tls.Certificate {
	s.t.Helper()
	key := newKey(s.t)
	leaf := certify(s.t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Minute),
		NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, s.certificate, key, s.key)
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
}

func (s *signer) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.certificate.Raw}))
}

func certify(t *testing.T, template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// access answers SubjectAccessReviews: alice may read in namespace shop, auditor in all.
type access struct {
	mu    sync.Mutex
	asked []authorizationv1.SubjectAccessReviewSpec
	err   error
}

func (a *access) Create(_ context.Context, review *authorizationv1.SubjectAccessReview, _ metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, review.Spec)
	if a.err != nil {
		return nil, a.err
	}
	answer := review.DeepCopy()
	namespace := review.Spec.ResourceAttributes.Namespace
	answer.Status.Allowed = review.Spec.User == "alice" && namespace == "shop" || review.Spec.User == "auditor" && namespace == ""
	return answer, nil
}

// world is a reader on loopback behind an API server that the test plays.
type world struct {
	t      *testing.T
	front  *signer
	root   *keys.Root
	access *access
	volume string
	health string
	url    string

	// archive is the folder behind a bucket.
	archive string

	mu     sync.Mutex
	logs   []string
	events []audit.Event
}

// Emit implements audit.Sink.
func (w *world) Emit(events ...audit.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, events...)
}

// bucket opens bucket archive; bucket away does not answer.
func (w *world) bucket(_ context.Context, name, uid string) (store.Reader, error) {
	if name != "archive" {
		return nil, errors.New("connection refused")
	}
	return store.FS(os.DirFS(filepath.Join(w.archive, uid))), nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	root, err := keys.Generate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, front: newSigner(t), root: root, access: &access{}, volume: t.TempDir(), archive: t.TempDir()}
	clients := fake.NewClientset(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "extension-apiserver-authentication"},
		Data: map[string]string{
			"requestheader-client-ca-file":       w.front.pem(),
			"requestheader-allowed-names":        `["front-proxy-client"]`,
			"requestheader-username-headers":     `["X-Remote-User"]`,
			"requestheader-uid-headers":          `["X-Remote-Uid"]`,
			"requestheader-group-headers":        `["X-Remote-Group"]`,
			"requestheader-extra-headers-prefix": `["X-Remote-Extra-"]`,
		},
	})
	callers, err := reader.NewRequestHeader(clients)
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := volume.OpenTasks(w.volume)
	if err != nil {
		t.Fatal(err)
	}
	log := funcr.NewJSON(func(line string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.logs = append(w.logs, line)
	}, funcr.Options{})
	directory := t.TempDir()
	w.serve(&reader.Server{
		Handler: reader.New(reader.Handler{
			Authenticate: callers, Access: w.access, Request: request, Known: known, Log: log, Now: time.Now, Audit: w,
			Recordings: (&reader.Stores{
				Volume:  func(uid string) (reader.Task, error) { return tasks.Task(uid) },
				Buckets: func(context.Context) ([]string, error) { return []string{"away", "archive"}, nil },
				Bucket:  w.bucket,
			}).Open,
			Keys: func() ([]string, error) { return []string{"a public key"}, nil },
		}),
		Certificate: &reader.Certificate{Directory: directory, Now: time.Now},
		Ready:       callers.Ready,
	}, callers)
	if code := w.probe("/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("ready without a certificate: %d", code)
	}
	certificate, key, err := root.ReaderCertificate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"tls.crt": certificate, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(directory, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gomega.NewWithT(t).Eventually(func() int { return w.probe("/readyz") }).WithTimeout(10 * time.Second).Should(gomega.Equal(http.StatusOK))
	t.Cleanup(func() {
		if err := tasks.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) serve(server *reader.Server, callers *reader.RequestHeader) {
	w.t.Helper()
	listen := func() net.Listener {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			w.t.Fatal(err)
		}
		return listener
	}
	api, health := listen(), listen()
	w.url, w.health = "https://"+api.Addr().String(), "http://"+health.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	followed, served := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(followed)
		callers.Run(ctx)
	}()
	go func() { served <- server.Serve(ctx, api, health) }()
	w.t.Cleanup(func() {
		cancel()
		<-followed
		if err := <-served; err != nil {
			w.t.Errorf("serve: %v", err)
		}
	})
}

// request knows bob's request, one whose recordings are in a bucket, and another
// tenant's of the same name.
func request(_ context.Context, namespace, name string) (reader.Request, error) {
	switch namespace + "/" + name {
	case "shop/pay-1423":
		return reader.Request{UID: bobs, Namespace: namespace, Name: name, Store: "volume"}, nil
	case "shop/pay-1500":
		return reader.Request{UID: archived, Namespace: namespace, Name: name, Store: "archive"}, nil
	case "shop/pay-1600":
		return reader.Request{UID: archived, Namespace: namespace, Name: name, Store: "away"}, nil
	case "bank/pay-1423":
		return reader.Request{UID: others, Namespace: namespace, Name: name}, nil
	}
	return reader.Request{}, apierrors.NewNotFound(schemaResource, name)
}

// known knows, beside the other tenant's, a request that was deleted.
func known(_ context.Context, uid string) (reader.Request, error) {
	switch uid {
	case deleted:
		return reader.Request{UID: deleted, Namespace: "shop", Name: "pay-1423", Store: "archive"}, nil
	case archived:
		return reader.Request{UID: archived, Namespace: "shop", Name: "pay-1500", Store: "archive", Removed: time.Unix(1e9, 0)}, nil
	case others:
		return reader.Request{UID: others, Namespace: "bank", Name: "pay-1423", Store: "volume"}, nil
	}
	return reader.Request{}, apierrors.NewNotFound(schemaResource, uid)
}

// record keeps an object on the volume.
func (w *world) record(uid, name, content string) { w.keep(w.volume, uid, name, content) }

func (w *world) keep(root, uid, name, content string) {
	w.t.Helper()
	file := filepath.Join(root, uid, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o640); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) probe(path string) int {
	w.t.Helper()
	response, err := http.Get(w.health + path)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		w.t.Error(err)
	}
	return response.StatusCode
}

// caller is a client with a certificate, or without.
func (w *world) caller(certificate *tls.Certificate) *http.Client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(w.root.CA())
	config := &tls.Config{RootCAs: pool, ServerName: keys.ReaderName}
	if certificate != nil {
		// Also where the server names another authority.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// get is what the API server sends for a user.
func (w *world) get(client *http.Client, path, user string) (int, string) {
	w.t.Helper()
	return w.do(client, http.MethodGet, path, http.Header{"X-Remote-User": {user}, "X-Remote-Group": {"system:authenticated"}})
}

func (w *world) decode(client *http.Client, path, user string, into any) {
	w.t.Helper()
	code, body := w.get(client, path, user)
	if code != http.StatusOK {
		w.t.Fatalf("%s: %d %s", path, code, body)
	}
	if err := json.Unmarshal([]byte(body), into); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) do(client *http.Client, method, path string, headers http.Header) (int, string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, w.url+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header = headers
	response, err := client.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		w.t.Error(err)
	}
	return response.StatusCode, string(body)
}
