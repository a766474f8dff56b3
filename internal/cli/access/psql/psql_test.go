package psql

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/cli/clientkey"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/tunnel/tunneltest"
)

// TestMain makes this binary the psql of its own tests, when it is run as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "--dbname=") {
		os.Exit(actAsPsql(strings.TrimPrefix(os.Args[1], "--dbname="), os.Args[2:]))
	}
	os.Exit(apitest.Main(m))
}

// actAsPsql connects as its connection string says, prints what the server says,
// where its files are and its arguments, and exits with 3, so that
// the exit code can be told from others.
func actAsPsql(conninfo string, arguments []string) int {
	settings := map[string]string{}
	for field := range strings.FieldsSeq(conninfo) {
		key, value, _ := strings.Cut(field, "=")
		settings[key] = value
	}
	authority, err := os.ReadFile(settings["sslrootcert"])
	pair, pairErr := tls.LoadX509KeyPair(settings["sslcert"], settings["sslkey"])
	if err := errors.Join(err, pairErr); err != nil {
		fmt.Println(err)
		return 1
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	conn, err := tls.Dial("tcp", net.JoinHostPort(settings["hostaddr"], settings["port"]), &tls.Config{
		ServerName: settings["host"], RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12,
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Print(answer)
	fmt.Println("user", settings["user"], "database", settings["dbname"], settings["sslmode"])
	fmt.Println("folder", filepath.Dir(settings["sslkey"]))
	fmt.Println(strings.Join(arguments, "|"))
	return 3
}

// authority signs the proxy's certificate; both are PEM or ready to serve.
func authority(t *testing.T, serverName string) (string, tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: serverName}, DNSNames: []string{serverName},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// proxyPod is the task's proxy: it greets each client with the key that it proved.
func proxyPod(certificate tls.Certificate) func(io.ReadWriter) error {
	return func(stream io.ReadWriter) error {
		server := tls.Server(streamConn{stream}, &tls.Config{
			Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12,
		})
		if err := server.Handshake(); err != nil {
			return err
		}
		key, err := ssh.NewPublicKey(server.ConnectionState().PeerCertificates[0].PublicKey)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(server, "hello", ssh.FingerprintSHA256(key))
		return err
	}
}

// streamConn is a stream with the rest of a net.Conn, which TLS does not use.
type streamConn struct{ io.ReadWriter }

func (streamConn) Close() error                     { return nil }
func (streamConn) LocalAddr() net.Addr              { return nil }
func (streamConn) RemoteAddr() net.Addr             { return nil }
func (streamConn) SetDeadline(time.Time) error      { return nil }
func (streamConn) SetReadDeadline(time.Time) error  { return nil }
func (streamConn) SetWriteDeadline(time.Time) error { return nil }

func TestPsqlRunsThroughTheTunnelAsTheRequester(t *testing.T) {
	t.Parallel()
	server := apitest.Start(t)
	task := server.NewTask(t.Context(), t, time.Now())
	keys := clientkey.Store{Folder: t.TempDir()}
	key, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	line, err := clientkey.Authorized(key, "pay-1500")
	if err != nil {
		t.Fatal(err)
	}
	request := &v1alpha1.TaskAccessRequest{Spec: *task.Request.Spec.DeepCopy()}
	request.Namespace, request.Name, request.Spec.ClientKeys = task.Namespace, "pay-1500", []string{line}
	if err := server.Client.Create(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	ca, certificate := authority(t, "pay-1500.sallyport")
	request.Status.Endpoint = &v1alpha1.Endpoint{
		Namespace: "sallyport-proxies", Pod: "sp-1500", Service: "sp-1500", Port: 5432,
		ServerName: "pay-1500.sallyport", CABundle: ca, Database: "orders",
	}
	request.Status.Conditions = []metav1.Condition{
		{Type: v1alpha1.ConditionProxyReady, Status: metav1.ConditionTrue, Reason: "Ready", LastTransitionTime: metav1.Now()},
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: "AwaitingReview", Message: "waits for 1 of dba", LastTransitionTime: metav1.Now()},
	}
	if err := server.Client.Status().Update(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	server.Allow(t.Context(), t, task.Namespace, "bob", "taskaccessrequests", []string{"get"})
	kubelet := &tunneltest.Kubelet{T: t, Path: "/api/v1/namespaces/sallyport-proxies/pods/sp-1500/portforward", Pod: proxyPod(certificate)}
	config := apitest.Front(t, server.User(t, "bob"), func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/portforward") {
			return false
		}
		kubelet.ServeHTTP(w, r)
		return true
	})

	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	o := &Options{
		IOStreams: streams, Keys: keys, Name: "pay-1500", Arguments: []string{"-c", "select 1"}, Timeout: 10 * time.Second, Program: os.Args[0],
		Factory: &kube.Factory{
			Config: func() (*rest.Config, error) { return config, nil }, Namespace: func() (string, error) { return task.Namespace, nil }, Now: time.Now,
		},
	}
	if err := o.Complete(); err != nil {
		t.Fatal(err)
	}
	err = o.Run(t.Context())
	if code := kube.ExitCode(err); code != 3 || kube.Message(err) != "" {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, out, errOut)
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{"hello " + ssh.FingerprintSHA256(public), "user bob database orders verify-full", "folder ", "-c|select 1"} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Fatalf("line %d: want %q in\n%s", i, want, out)
		}
	}
	if _, err := os.Stat(strings.TrimPrefix(lines[2], "folder ")); !os.IsNotExist(err) {
		t.Errorf("the client's files are still there: %v", err)
	}
	if got := errOut.String(); !strings.Contains(got, "AwaitingReview: waits for 1 of dba") {
		t.Errorf("psql's user is not told what it waits for: %q", got)
	}
}

func TestWithoutPsqlTheErrorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	o := &Options{Name: "pay-1423", Program: "no-such-psql"}
	if err := o.Complete(); err == nil || !strings.Contains(err.Error(), "kubectl access connect pay-1423") {
		t.Errorf("got %v", err)
	}
}
