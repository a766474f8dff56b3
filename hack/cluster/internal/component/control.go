// Package component says how each of the cluster's processes is started: its
// command line and its configuration file. Nothing here runs anything.
package component

import (
	"path/filepath"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/pki"
	"github.com/sallyport/sallyport/hack/cluster/internal/supervise"
)

const etcdAddress = "http://127.0.0.1:2379"

// Etcd keeps the cluster's state. It does not wait for the disk: this data is
// worth nothing after a power cut.
func Etcd(c layout.Cluster) supervise.Spec {
	return spec(c, "etcd", asset("etcd"),
		"--name=default",
		"--data-dir=/var/lib/etcd",
		"--listen-client-urls="+etcdAddress,
		"--advertise-client-urls="+etcdAddress,
		"--listen-peer-urls=http://127.0.0.1:2380",
		"--unsafe-no-fsync",
	)
}

// APIServer admits by certificate, service-account token and front proxy;
// MutatingAdmissionPolicy and ValidatingAdmissionPolicy are on by default.
func APIServer(c layout.Cluster) supervise.Spec {
	file := func(name string) string { return c.Path("pki", name) }
	return spec(c, "kube-apiserver", asset("kube-apiserver"),
		"--etcd-servers="+etcdAddress,
		"--bind-address="+layout.NodeIP,
		"--advertise-address="+layout.NodeIP,
		"--secure-port=6443",
		"--service-cluster-ip-range="+layout.ServiceCIDR,
		"--tls-cert-file="+file(pki.APIServer+".crt"),
		"--tls-private-key-file="+file(pki.APIServer+".key"),
		"--client-ca-file="+file(pki.ClusterCA+".crt"),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+file(pki.ServiceAccount+".pub"),
		"--service-account-signing-key-file="+file(pki.ServiceAccount+".key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--kubelet-certificate-authority="+file(pki.ClusterCA+".crt"),
		"--kubelet-client-certificate="+file(pki.KubeletClient+".crt"),
		"--kubelet-client-key="+file(pki.KubeletClient+".key"),
		// Aggregated APIs: who calls them must be able to check that it was us.
		"--requestheader-client-ca-file="+file(pki.FrontProxyCA+".crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file="+file(pki.FrontProxy+".crt"),
		"--proxy-client-key-file="+file(pki.FrontProxy+".key"),
		"--enable-aggregator-routing=true",
	)
}

// ControllerManager runs with one service account for each controller, as
// clusters for production do: RBAC is then as strict here as there.
func ControllerManager(c layout.Cluster) supervise.Spec {
	config := c.Path("config", "kube-controller-manager.kubeconfig")
	return spec(c, "kube-controller-manager", asset("kube-controller-manager"),
		"--kubeconfig="+config,
		"--authentication-kubeconfig="+config,
		"--authorization-kubeconfig="+config,
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
		"--use-service-account-credentials=true",
		// The default limits alone make its start take five seconds.
		"--kube-api-qps=300",
		"--kube-api-burst=600",
		"--service-account-private-key-file="+c.Path("pki", pki.ServiceAccount+".key"),
		"--root-ca-file="+c.Path("pki", pki.ClusterCA+".crt"),
		"--cluster-signing-cert-file="+c.Path("pki", pki.ClusterCA+".crt"),
		"--cluster-signing-key-file="+c.Path("pki", pki.ClusterCA+".key"),
	)
}

// Scheduler is the ordinary one.
func Scheduler(c layout.Cluster) supervise.Spec {
	config := c.Path("config", "kube-scheduler.kubeconfig")
	return spec(c, "kube-scheduler", asset("kube-scheduler"),
		"--kubeconfig="+config,
		"--authentication-kubeconfig="+config,
		"--authorization-kubeconfig="+config,
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
	)
}

// asset is a control-plane binary, as seen inside.
func asset(name string) string { return filepath.Join(layout.AssetsInside, name) }

func spec(c layout.Cluster, name string, args ...string) supervise.Spec {
	return supervise.Spec{Name: name, Args: args, Log: c.Log(name)}
}
