package credential

import "github.com/sallyport/sallyport/api/v1alpha1"

// Kind is a way to make credentials: of one type, for targets of one protocol.
type Kind struct {
	// Protocol is v1alpha1.ProtocolPostgres or v1alpha1.ProtocolSSH.
	Protocol string
	Type     v1alpha1.CredentialType
}

// Issuers are the ways that there are.
type Issuers map[Kind]Issuer
