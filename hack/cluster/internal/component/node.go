package component

import (
	"encoding/json"
	"os"

	"github.com/sallyport/sallyport/hack/cluster/internal/layout"
	"github.com/sallyport/sallyport/hack/cluster/internal/pki"
	"github.com/sallyport/sallyport/hack/cluster/internal/supervise"
)

// ProxyHealthPort is where kube-proxy says whether its rules are in place.
const ProxyHealthPort = "10256"

type object = map[string]any

// Kubelet runs the pods. Its cgroups are below the cluster's own.
func Kubelet(c layout.Cluster) supervise.Spec {
	return spec(c, "kubelet", asset("kubelet"),
		"--config="+c.Path("config", "kubelet.json"),
		"--kubeconfig="+c.Path("config", "kubelet.kubeconfig"),
		"--hostname-override="+c.Node(),
		"--node-ip="+layout.NodeIP,
	)
}

// Proxy makes Services work.
func Proxy(c layout.Cluster) supervise.Spec {
	return spec(c, "kube-proxy", asset("kube-proxy"), "--config="+c.Path("config", "kube-proxy.json"))
}

// Policy is our own enforcer of NetworkPolicies.
func Policy(c layout.Cluster) supervise.Spec {
	return spec(c, "policy", c.Path("bin", "cluster"), "enforce", "--name="+c.Name)
}

// DNS is our own server of the cluster's names.
func DNS(c layout.Cluster) supervise.Spec {
	return spec(c, "dns", c.Path("bin", "cluster"), "resolve", "--name="+c.Name)
}

// WriteNodeConfig writes the configuration of kubelet and kube-proxy.
func WriteNodeConfig(c layout.Cluster) error {
	if err := os.WriteFile(c.Path("config", "resolv.conf"), nil, 0o644); err != nil {
		return err
	}
	if err := writeJSON(c.Path("config", "kubelet.json"), kubeletConfig(c)); err != nil {
		return err
	}
	return writeJSON(c.Path("config", "kube-proxy.json"), proxyConfig(c))
}

func kubeletConfig(c layout.Cluster) object {
	return object{
		"apiVersion":               "kubelet.config.k8s.io/v1beta1",
		"kind":                     "KubeletConfiguration",
		"address":                  layout.NodeIP,
		"containerRuntimeEndpoint": "unix://" + layout.ContainerdSocket,
		"authentication": object{
			"anonymous": object{"enabled": false},
			"webhook":   object{"enabled": true},
			"x509":      object{"clientCAFile": c.Path("pki", pki.ClusterCA+".crt")},
		},
		"authorization":     object{"mode": "Webhook"},
		"tlsCertFile":       c.Path("pki", pki.KubeletServer+".crt"),
		"tlsPrivateKeyFile": c.Path("pki", pki.KubeletServer+".key"),
		"cgroupDriver":      "cgroupfs",
		"cgroupRoot":        "/" + c.Cgroup(),
		// The machine decides which version it has; both work.
		"failCgroupV1": false,
		"failSwapOn":   false,
		// Without CAP_SYS_RESOURCE nobody may lower a score.
		"oomScoreAdj":            0,
		"clusterDNS":             []string{layout.NodeIP},
		"clusterDomain":          layout.Domain,
		"resolvConf":             c.Path("config", "resolv.conf"),
		"enforceNodeAllocatable": []string{},
		// A developer's disk is often fuller than a server's.
		"evictionHard":                object{"memory.available": "50Mi", "nodefs.available": "1%", "nodefs.inodesFree": "1%", "imagefs.available": "1%", "imagefs.inodesFree": "1%"},
		"imageGCHighThresholdPercent": 100,
		"imageGCLowThresholdPercent":  99,
		// Fast enough that a test need not wait for the kubelet's habits.
		"syncFrequency":       "10s",
		"fileCheckFrequency":  "10s",
		"healthzBindAddress":  "127.0.0.1",
		"serializeImagePulls": false,
	}
}

func proxyConfig(c layout.Cluster) object {
	return object{
		"apiVersion":         "kubeproxy.config.k8s.io/v1alpha1",
		"kind":               "KubeProxyConfiguration",
		"mode":               "nftables",
		"clientConnection":   object{"kubeconfig": c.Path("config", "kube-proxy.kubeconfig")},
		"hostnameOverride":   c.Node(),
		"clusterCIDR":        layout.PodCIDR,
		"bindAddress":        layout.NodeIP,
		"healthzBindAddress": layout.NodeIP + ":" + ProxyHealthPort,
		"metricsBindAddress": "127.0.0.1:10249",
		"oomScoreAdj":        0,
		// Settings of the whole machine: left alone.
		"conntrack": object{"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
	}
}

func writeJSON(path string, value object) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
