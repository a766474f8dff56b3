package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"

	"github.com/sallyport/sallyport/hack/cluster/internal/kubeconfig"
	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
)

// Files below the folder pki, without the endings .crt and .key.
const (
	ClusterCA      = "ca"
	FrontProxyCA   = "front-proxy-ca"
	FrontProxy     = "front-proxy"
	APIServer      = "apiserver"
	KubeletClient  = "apiserver-kubelet-client"
	KubeletServer  = "kubelet"
	ServiceAccount = "service-account"
)

// Masters is the group that the API server never refuses.
const Masters = "system:masters"

// Make writes every certificate, key and kubeconfig that the cluster's own
// processes need. apiURL is the API server's address on the host.
func Make(c layout.Cluster, apiURL string) error {
	ca, err := NewAuthority("kubernetes", c.Path("pki", ClusterCA))
	if err != nil {
		return err
	}
	front, err := NewAuthority("front-proxy", c.Path("pki", FrontProxyCA))
	if err != nil {
		return err
	}
	for _, leaf := range []struct {
		file      string
		authority *Authority
		subject   Subject
	}{
		{APIServer, ca, Subject{Name: "kube-apiserver", Addresses: []string{
			"127.0.0.1", "localhost", layout.NodeIP, layout.ServiceIP,
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		}}},
		{KubeletClient, ca, Subject{Name: "kube-apiserver-kubelet-client", Groups: []string{Masters}}},
		{KubeletServer, ca, Subject{Name: c.Node(), Addresses: []string{layout.NodeIP, c.Node()}}},
		{FrontProxy, front, Subject{Name: "front-proxy-client"}},
	} {
		pair, err := leaf.authority.Issue(leaf.subject)
		if err != nil {
			return err
		}
		if err := pair.Save(c.Path("pki", leaf.file)); err != nil {
			return err
		}
	}
	if err := makeServiceAccountKey(c.Path("pki", ServiceAccount)); err != nil {
		return err
	}

	inside := "https://" + layout.APIAddress
	for _, user := range []struct {
		file, server string
		subject      Subject
	}{
		{c.Kubeconfig(), apiURL, Subject{Name: "admin", Groups: []string{Masters}}},
		{c.InsideKubeconfig(), inside, Subject{Name: "admin", Groups: []string{Masters}}},
		{c.Path("config", "kube-controller-manager.kubeconfig"), inside, Subject{Name: "system:kube-controller-manager"}},
		{c.Path("config", "kube-scheduler.kubeconfig"), inside, Subject{Name: "system:kube-scheduler"}},
		{c.Path("config", "kube-proxy.kubeconfig"), inside, Subject{Name: "system:kube-proxy"}},
		{c.Path("config", "kubelet.kubeconfig"), inside, Subject{Name: "system:node:" + c.Node(), Groups: []string{"system:nodes"}}},
	} {
		if err := WriteKubeconfig(ca, c.Name, user.file, user.server, user.subject); err != nil {
			return err
		}
	}
	return nil
}

// WriteKubeconfig issues a client certificate and writes it as a kubeconfig.
func WriteKubeconfig(ca *Authority, cluster, path, server string, s Subject) error {
	pair, err := ca.Issue(s)
	if err != nil {
		return err
	}
	return kubeconfig.Write(path, kubeconfig.Login{
		Cluster: cluster, Server: server, CA: ca.CertificatePEM,
		User: s.Name, Certificate: pair.Certificate, Key: pair.Key,
	})
}

// makeServiceAccountKey writes the key that signs service-account tokens, and its public half.
func makeServiceAccountKey(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	private, err := encodeKey(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".key", private, 0o600); err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	return os.WriteFile(path+".pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o644)
}
