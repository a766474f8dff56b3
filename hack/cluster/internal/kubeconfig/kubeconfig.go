// Package kubeconfig writes kubeconfig files.
package kubeconfig

import (
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Login is one user's way into one cluster.
type Login struct {
	Cluster, Server, User string
	CA, Certificate, Key  []byte
}

// Write writes the login as the file's only and current context.
func Write(path string, l Login) error {
	context := l.User + "@" + l.Cluster
	config := api.NewConfig()
	config.Clusters[l.Cluster] = &api.Cluster{Server: l.Server, CertificateAuthorityData: l.CA}
	config.AuthInfos[l.User] = &api.AuthInfo{ClientCertificateData: l.Certificate, ClientKeyData: l.Key}
	config.Contexts[context] = &api.Context{Cluster: l.Cluster, AuthInfo: l.User}
	config.CurrentContext = context
	return clientcmd.WriteToFile(*config, path)
}
