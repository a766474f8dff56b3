package reader

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/request/headerrequest"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/kubernetes"
)

// authenticationConfigMap is where the API server publishes how it identifies itself.
const authenticationConfigMap = "extension-apiserver-authentication"

// RequestHeader authenticates as an aggregated API server does: the headers that name
// a user count only with a client certificate of the API server's, signed by the
// authority and for one of the names that it publishes. Changes are followed.
type RequestHeader struct {
	authority *dynamiccertificates.ConfigMapCAController
	names     *headerrequest.RequestHeaderAuthRequestController
	inner     authenticator.Request
}

// NewRequestHeader makes an authenticator that takes nobody until Run runs.
func NewRequestHeader(clients kubernetes.Interface) (*RequestHeader, error) {
	authority, err := dynamiccertificates.NewDynamicCAFromConfigMapController(
		"request-header", metav1.NamespaceSystem, authenticationConfigMap, "requestheader-client-ca-file", clients)
	if err != nil {
		return nil, fmt.Errorf("follow the API server's authority: %w", err)
	}
	names := headerrequest.NewRequestHeaderAuthRequestController(authenticationConfigMap, metav1.NamespaceSystem, clients,
		"requestheader-username-headers", "requestheader-uid-headers", "requestheader-group-headers",
		"requestheader-extra-headers-prefix", "requestheader-allowed-names")
	inner := headerrequest.NewDynamicVerifyOptionsSecure(authority.VerifyOptions,
		headerrequest.StringSliceProviderFunc(names.AllowedClientNames),
		headerrequest.StringSliceProviderFunc(names.UsernameHeaders),
		headerrequest.StringSliceProviderFunc(names.UIDHeaders),
		headerrequest.StringSliceProviderFunc(names.GroupHeaders),
		headerrequest.StringSliceProviderFunc(names.ExtraHeaderPrefixes))
	return &RequestHeader{authority: authority, names: names, inner: inner}, nil
}

// Run follows what the API server publishes until ctx ends.
func (h *RequestHeader) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { h.authority.Run(ctx, 1) })
	running.Go(func() { h.names.Run(ctx, 1) })
	running.Wait()
}

// Ready says that it knows how the API server identifies itself.
func (h *RequestHeader) Ready() bool {
	_, known := h.authority.VerifyOptions()
	return known && len(h.names.UsernameHeaders()) > 0
}

// AuthenticateRequest implements authenticator.Request.
func (h *RequestHeader) AuthenticateRequest(r *http.Request) (*authenticator.Response, bool, error) {
	if r.TLS == nil || !h.Ready() {
		return nil, false, nil
	}
	return h.inner.AuthenticateRequest(r)
}
