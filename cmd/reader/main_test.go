package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/keys"
	"github.com/sallyport/sallyport/internal/ledger"
	"github.com/sallyport/sallyport/internal/reader/readerapi"
	"github.com/sallyport/sallyport/internal/record/store/bucket"
	"github.com/sallyport/sallyport/internal/s3test"
	"github.com/sallyport/sallyport/internal/stores"
)

// TestThroughARealAPIServerAnAuditorReadsAndOthersDoNot runs the command as the
// reader's service account, with the rights and the APIService of config, behind an API
// server that aggregates it.
func TestThroughARealAPIServerAnAuditorReadsAndOthersDoNot(t *testing.T) {
	g := gomega.NewWithT(t)
	c := startCluster(t)
	c.apply(apitest.Root("config", "rbac", "reader.yaml"))
	c.apply(apitest.Root("config", "rbac", "users.yaml"))
	c.apply(apitest.Root("config", "proxies", "apiservice.yaml"))
	recordings := c.startReader()

	request := &v1alpha1.TaskAccessRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "pay-1423"},
		Spec: v1alpha1.TaskAccessRequestSpec{
			Requester: v1alpha1.Requester{Username: "bob"}, Task: v1alpha1.Task{ID: "PAY-1423", Type: "read"},
			Target: "orders", Reason: "look", DurationSeconds: 600,
		},
	}
	c.create(request)
	folder := filepath.Join(recordings, string(request.UID), "s-1")
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "00000001.seg"), []byte("what was done"), 0o640); err != nil {
		t.Fatal(err)
	}
	alice, mallory, half := c.user("alice"), c.user("mallory"), c.user("half")
	c.bind("alice", "sallyport-auditor")
	c.create(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "half"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{readerapi.Group}, Resources: []string{"taskaccessrequests/recording"}, Verbs: []string{"get"},
	}}})
	c.bind("half", "half")

	path := readerapi.Path("shop", "pay-1423")
	var list readerapi.RecordingList
	g.Eventually(func() error {
		body, err := alice.Discovery().RESTClient().Get().AbsPath(path).DoRaw(t.Context())
		if err != nil {
			return err
		}
		return json.Unmarshal(body, &list)
	}).WithTimeout(30 * time.Second).Should(gomega.Succeed())
	if len(list.Items) != 1 || list.Items[0].Session != "s-1" || list.RequestUID != string(request.UID) || list.Store != "volume" || len(list.Keys) != 1 {
		t.Fatalf("alice sees %v", list)
	}
	body, err := alice.Discovery().RESTClient().Get().AbsPath(path).Param("session", "s-1").Param("object", "00000001.seg").Param("offset", "5").DoRaw(t.Context())
	if err != nil || string(body) != "was done" {
		t.Errorf("alice reads %q, %v", body, err)
	}
	for name, who := range map[string]kubernetes.Interface{"mallory": mallory, "who has the API's group alone": half} {
		body, err := who.Discovery().RESTClient().Get().AbsPath(path).Param("session", "s-1").Param("object", "00000001.seg").DoRaw(t.Context())
		if !apierrors.IsForbidden(err) || strings.Contains(string(body), "done") {
			t.Errorf("%s: %q, %v", name, body, err)
		}
	}
	// Discovery is whole, and the kind's own group still answers to its name.
	if _, _, err := alice.Discovery().ServerGroupsAndResources(); err != nil {
		t.Errorf("discovery: %v", err)
	}
	if out := c.kubectl("get", "taskaccessrequests", "-n", "shop", "-o", "name"); !strings.Contains(out, "taskaccessrequest.access.sallyport.dev/pay-1423") {
		t.Errorf("kubectl get: %s", out)
	}
}

// TestThroughARealAPIServerTheRecordingsOfADeletedRequestAreReadFromTheirBucket is read
// by UID: by who may read in all namespaces, and, with the name that the request had, in
// its own.
func TestThroughARealAPIServerTheRecordingsOfADeletedRequestAreReadFromTheirBucket(t *testing.T) {
	c := startCluster(t)
	c.apply(apitest.Root("config", "rbac", "reader.yaml"))
	c.apply(apitest.Root("config", "rbac", "users.yaml"))
	c.apply(apitest.Root("config", "proxies", "apiservice.yaml"))
	c.startReader()
	const uid, other = "0a1b2c3d-0000-4000-8000-000000000009", "0a1b2c3d-0000-4000-8000-00000000000a"
	c.bucket("archive", map[string]string{uid: "long ago", other: "the bank's"})
	c.create(ledger.Entry{UID: uid, Namespace: "shop", Request: "pay-1423", Requester: "bob", Store: "archive", OpenedAt: time.Now()}.ConfigMap())
	c.create(ledger.Entry{UID: other, Namespace: "bank", Request: "pay-1423", Requester: "eve", Store: "archive", OpenedAt: time.Now()}.ConfigMap())

	alice, auditor := c.user("alice"), c.user("auditor")
	c.bind("alice", "sallyport-auditor")
	c.create(&rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "auditor"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "sallyport-auditor"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "auditor"}},
	})
	read := func(who kubernetes.Interface, path, uid string) (string, error) {
		get := who.Discovery().RESTClient().Get().AbsPath(path).Param("session", "s-1").Param("object", "00000001.seg")
		if uid != "" {
			get = get.Param("uid", uid)
		}
		body, err := get.DoRaw(t.Context())
		return string(body), err
	}
	if body, err := read(auditor, readerapi.PathOfUID(uid), ""); err != nil || body != "long ago" {
		t.Errorf("by UID: %q, %v", body, err)
	}
	if body, err := read(alice, readerapi.Path("shop", "pay-1423"), uid); err != nil || body != "long ago" {
		t.Errorf("by name and UID: %q, %v", body, err)
	}
	if _, err := read(alice, readerapi.PathOfUID(uid), ""); !apierrors.IsForbidden(err) {
		t.Errorf("by UID, with the right to one namespace: %v", err)
	}
	if body, err := read(alice, readerapi.Path("shop", "pay-1423"), other); !apierrors.IsNotFound(err) {
		t.Errorf("another namespace's UID: %q, %v", body, err)
	}
}

// bucket makes a store of that name with a recording of each request, and gives the
// reader its Secret.
func (c *cluster) bucket(name string, recordings map[string]string) {
	c.t.Helper()
	server := s3test.Start(c.t, s3test.Options{})
	server.Bucket(c.t, "recordings", false)
	at, err := bucket.Open(bucket.Config{
		Endpoint: server.Endpoint, Bucket: "recordings", Region: server.Region, Style: bucket.StylePath, CABundle: server.CAPEM,
		Credentials: bucket.Static(server.AccessKey, server.SecretKey, ""),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	defer at.Close()
	for uid, content := range recordings {
		task, err := at.Task(uid)
		if err == nil {
			err = task.Put(c.t.Context(), "s-1/00000001.seg", []byte(content))
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
	object := metav1.ObjectMeta{Namespace: v1alpha1.ProxyNamespace, Name: v1alpha1.StorePrefix + name}
	c.create(&corev1.ConfigMap{ObjectMeta: object, Data: map[string]string{
		stores.KeyKind: "S3", stores.KeyEndpoint: server.Endpoint, stores.KeyBucket: "recordings", stores.KeyRegion: server.Region, stores.KeyCABundle: string(server.CAPEM),
	}})
	c.create(&corev1.Secret{ObjectMeta: object, StringData: map[string]string{
		stores.KeyAccessKeyID: server.AccessKey, stores.KeySecretAccessKey: server.SecretKey,
	}})
	c.create(&rbacv1.Role{ObjectMeta: object, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{object.Name, object.Name + "-reader"}, Verbs: []string{"get"},
	}}})
	c.create(&rbacv1.RoleBinding{
		ObjectMeta: object, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: object.Name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: v1alpha1.ProxyNamespace, Name: "sallyport-reader"}},
	})
}

// cluster is an API server of the test's own, with the aggregation layer on.
type cluster struct {
	t           *testing.T
	environment *envtest.Environment
	admin       client.Client
	kubeconfig  string
	address     string
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	authority, certificate, key := frontProxy(t)
	environment := &envtest.Environment{
		BinaryAssetsDirectory: apitest.Assets(t),
		CRDDirectoryPaths:     []string{apitest.Root("config", "crd", "bases")}, ErrorIfCRDPathMissing: true,
	}
	environment.ControlPlane.GetAPIServer().Configure().
		Set("requestheader-client-ca-file", authority).
		Set("requestheader-allowed-names", "front-proxy-client").
		Set("requestheader-username-headers", "X-Remote-User").
		Set("requestheader-group-headers", "X-Remote-Group").
		Set("requestheader-extra-headers-prefix", "X-Remote-Extra-").
		Set("proxy-client-cert-file", certificate).
		Set("proxy-client-key-file", key).
		// There is no kube-proxy here: endpoints are dialled themselves.
		Set("enable-aggregator-routing", "true")
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("start an API server: %v", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Error(err)
		}
	})
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	admin, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, environment: environment, admin: admin, address: ownAddress(t)}
	c.kubeconfig = c.kubeconfigOf("admin", "system:masters")
	for _, namespace := range []string{v1alpha1.ProxyNamespace, "shop"} {
		c.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	}
	return c
}

// startReader runs the command, tells the API server where it is, and returns the
// recordings' folder.
func (c *cluster) startReader() string {
	c.t.Helper()
	root, err := keys.Generate(time.Now())
	if err != nil {
		c.t.Fatal(err)
	}
	certificate, key, err := root.ReaderCertificate(time.Now())
	if err != nil {
		c.t.Fatal(err)
	}
	tlsDirectory, recordings, published := c.t.TempDir(), c.t.TempDir(), c.t.TempDir()
	public, err := root.RecordingPublic()
	if err == nil {
		err = os.WriteFile(filepath.Join(published, "key"), public, 0o600)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	for name, content := range map[string][]byte{"tls.crt": certificate, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(tlsDirectory, name), content, 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	port := freePort(c.t, c.address)
	c.t.Setenv("KUBECONFIG", c.kubeconfigOf("system:serviceaccount:"+v1alpha1.ProxyNamespace+":sallyport-reader", "system:serviceaccounts"))
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() {
		ran <- run(ctx, options{
			listen: fmt.Sprintf("%s:%d", c.address, port), healthListen: "127.0.0.1:0", tlsDirectory: tlsDirectory, recordings: recordings, keys: published,
		})
	}()
	c.t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			c.t.Errorf("reader: %v", err)
		}
	})

	c.create(&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.ProxyNamespace, Name: "sallyport-reader"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "https", Port: 443, TargetPort: intstr.FromInt32(port)}}},
	})
	c.create(&discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: v1alpha1.ProxyNamespace, Name: "sallyport-reader", Labels: map[string]string{discoveryv1.LabelServiceName: "sallyport-reader"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{c.address}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)}}},
		Ports:       []discoveryv1.EndpointPort{{Name: new("https"), Port: &port, Protocol: new(corev1.ProtocolTCP)}},
	})
	bundle, err := json.Marshal(root.CA())
	if err != nil {
		c.t.Fatal(err)
	}
	c.kubectl("patch", "apiservice", "v1alpha1."+readerapi.Group, "--type=merge", "-p", fmt.Sprintf(`{"spec":{"caBundle":%s}}`, bundle))
	c.kubectl("wait", "apiservice", "v1alpha1."+readerapi.Group, "--for=condition=Available", "--timeout=60s")
	return recordings
}

func (c *cluster) kubeconfigOf(name string, groups ...string) string {
	c.t.Helper()
	user, err := c.environment.AddUser(envtest.User{Name: name, Groups: groups}, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	content, err := user.KubeConfig()
	if err != nil {
		c.t.Fatal(err)
	}
	file := filepath.Join(c.t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		c.t.Fatal(err)
	}
	return file
}

func (c *cluster) user(name string) kubernetes.Interface {
	c.t.Helper()
	user, err := c.environment.AddUser(envtest.User{Name: name}, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	clients, err := kubernetes.NewForConfig(user.Config())
	if err != nil {
		c.t.Fatal(err)
	}
	return clients
}

func (c *cluster) bind(name, role string) {
	c.t.Helper()
	c.create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
	})
}

func (c *cluster) create(object client.Object) {
	c.t.Helper()
	if err := c.admin.Create(c.t.Context(), object); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) apply(file string) { c.kubectl("apply", "-f", file) }

func (c *cluster) kubectl(arguments ...string) string {
	c.t.Helper()
	command := exec.CommandContext(c.t.Context(), filepath.Join(apitest.Assets(c.t), "kubectl"), append(arguments, "--kubeconfig="+c.kubeconfig)...)
	out, err := command.CombinedOutput()
	if err != nil {
		c.t.Fatalf("kubectl %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
	return string(out)
}

// ownAddress is an address of this machine that endpoints may have: none of loopback.
func ownAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		if ip, ok := address.(*net.IPNet); ok && ip.IP.To4() != nil && ip.IP.IsGlobalUnicast() {
			return ip.IP.String()
		}
	}
	const message = "this machine has no IPv4 address but loopback, and an API server aggregates nothing there: add one (ip address add 192.0.2.1/32 dev lo)"
	if os.Getenv("SALLYPORT_ALLOW_MISSING") == "1" {
		t.Skip(message)
	}
	t.Fatal(message)
	return ""
}

func freePort(t *testing.T, address string) int32 {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return int32(listener.Addr().(*net.TCPAddr).Port)
}

// frontProxy is how the API server identifies itself: files of the authority, the
// client certificate and its key.
func frontProxy(t *testing.T) (authority, certificate, key string) {
	t.Helper()
	caKey, clientKey := newKey(t), newKey(t)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "front-proxy-ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "front-proxy-client"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	directory := t.TempDir()
	write := func(name, kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(directory, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	authority = write("ca.crt", "CERTIFICATE", caDER, err)
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, clientKey.Public(), caKey)
	certificate = write("client.crt", "CERTIFICATE", leafDER, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(clientKey)
	key = write("client.key", "PRIVATE KEY", keyDER, err)
	return authority, certificate, key
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
