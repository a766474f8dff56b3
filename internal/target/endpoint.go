package target

import (
	"cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
)

// Endpoint is what the targets of all protocols have.
type Endpoint struct {
	credential.Kind
	Host string
	Port int32
}

// EndpointOf is a target's; ok is false for one of a protocol that is not served here.
func EndpointOf(spec v1alpha1.AccessTargetSpec) (e Endpoint, ok bool) {
	switch {
	case spec.Postgres != nil:
		p := spec.Postgres
		return Endpoint{
			Kind: credential.Kind{Protocol: v1alpha1.ProtocolPostgres, Type: cmp.Or(p.Credential, v1alpha1.CredentialEphemeralRole)},
			Host: p.Host, Port: p.Port,
		}, true
	case spec.SSH != nil:
		p := spec.SSH
		return Endpoint{
			Kind: credential.Kind{Protocol: v1alpha1.ProtocolSSH, Type: cmp.Or(p.Credential, v1alpha1.CredentialCertificate)},
			Host: p.Host, Port: p.Port,
		}, true
	}
	return Endpoint{}, false
}

// ProtocolOf is what a grant is for; empty for none that is served here.
func ProtocolOf(grant v1alpha1.Grant) string {
	switch {
	case grant.Postgres != nil:
		return v1alpha1.ProtocolPostgres
	case grant.SSH != nil:
		return v1alpha1.ProtocolSSH
	}
	return ""
}
