package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AccessTarget is one endpoint that tasks may be given access to. Its
// administrator's credential lives elsewhere: in the Secret
// `<namespace>.<name>` of the namespace sallyport-targets, which pins host, port
// and identity, so that whoever writes an AccessTarget can neither read the credential
// nor send it to another address.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=atgt,categories=access
// +kubebuilder:printcolumn:name="Protocol",type=string,JSONPath=`.status.protocol`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Credential",type=string,JSONPath=`.status.credential`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.serverVersion`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="an AccessTarget's name has at most 63 characters"
type AccessTarget struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the endpoint: address, identity, and how credentials are minted.
	// +required
	Spec AccessTargetSpec `json:"spec,omitzero"`
	// status is what the operator found there.
	// +optional
	Status AccessTargetStatus `json:"status,omitempty"`
}

// AccessTargetSpec names exactly one endpoint.
//
// +kubebuilder:validation:XValidation:rule="has(self.postgres) != has(self.ssh)",message="exactly one of: postgres, ssh"
// +kubebuilder:validation:XValidation:rule="has(self.postgres) == has(oldSelf.postgres)",message="the protocol is immutable: create another AccessTarget"
type AccessTargetSpec struct {
	// postgres is a PostgreSQL server, 14 or newer.
	// +optional
	Postgres *PostgresTarget `json:"postgres,omitempty"`
	// ssh is an SSH server.
	// +optional
	SSH *SSHTarget `json:"ssh,omitempty"`
}

// PostgresTarget is the address and identity of a PostgreSQL server. Address and
// identity are immutable: a task's approval names this very server.
//
// +kubebuilder:validation:XValidation:rule="self.host == oldSelf.host && self.port == oldSelf.port",message="host and port are immutable: create another AccessTarget"
// +kubebuilder:validation:XValidation:rule="self.tls == oldSelf.tls",message="tls is immutable: create another AccessTarget"
// +kubebuilder:validation:XValidation:rule="self.credential == oldSelf.credential",message="credential is immutable: create another AccessTarget"
// +kubebuilder:validation:XValidation:rule="self.credential in ['EphemeralRole', 'Static']",message="credential of a PostgreSQL target is EphemeralRole or Static"
type PostgresTarget struct {
	// host is a DNS name or an IP address. Loopback, link-local and the
	// operator's own addresses are refused. The manager resolves names; proxies
	// have no DNS.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$`
	Host string `json:"host"`
	// port is the server's TCP port.
	// +optional
	// +kubebuilder:default=5432
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
	// tls is how the server proves who it is.
	// +optional
	// +kubebuilder:default={mode: VerifyFull}
	TLS PostgresTLS `json:"tls,omitzero"`
	// databases are the databases that tasks may be given; teardown looks into
	// every database of the server all the same.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[^\x00-\x1f\x7f]+$`
	Databases []string `json:"databases"`
	// credential is how the credential of one task comes to be.
	// +optional
	// +kubebuilder:default=EphemeralRole
	Credential CredentialType `json:"credential,omitempty"`
}

// PostgresTLS says how the proxy and the operator verify the server.
//
// +kubebuilder:validation:XValidation:rule="self.mode != 'Disable' || !has(self.caBundle)",message="caBundle has no meaning with mode Disable"
type PostgresTLS struct {
	// mode VerifyFull checks chain and host name; VerifyCA the chain alone;
	// Disable speaks plaintext, and is said in the target's status.
	// +optional
	// +kubebuilder:default=VerifyFull
	Mode PostgresTLSMode `json:"mode,omitempty"`
	// caBundle is the PEM of the authorities that may vouch for the server. It
	// must equal `ca.crt` of the target's Secret.
	// +optional
	// +kubebuilder:validation:MaxLength=32768
	CABundle string `json:"caBundle,omitempty"`
}

// PostgresTLSMode is how a PostgreSQL server is verified.
// +kubebuilder:validation:Enum=VerifyFull;VerifyCA;Disable
type PostgresTLSMode string

// The ways to verify a PostgreSQL server.
const (
	PostgresTLSVerifyFull PostgresTLSMode = "VerifyFull"
	PostgresTLSVerifyCA   PostgresTLSMode = "VerifyCA"
	PostgresTLSDisable    PostgresTLSMode = "Disable"
)

// CredentialType is how a task's credential comes to be.
// +kubebuilder:validation:Enum=EphemeralRole;Certificate;Static
type CredentialType string

const (
	// CredentialEphemeralRole is a role of the target made for one task, and
	// dropped with it.
	CredentialEphemeralRole CredentialType = "EphemeralRole"
	// CredentialCertificate is a certificate for the proxy's own key, good for minutes,
	// by an authority that is the target's alone.
	CredentialCertificate CredentialType = "Certificate"
	// CredentialStatic is a standing login of the target, for targets that can
	// do no better: closing ends the sessions, the login remains.
	CredentialStatic CredentialType = "Static"
)

// AccessTargetStatus is what the operator found at the endpoint.
type AccessTargetStatus struct {
	// observedGeneration is the generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, Reachable, CredentialWorks, InUse.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// protocol is the protocol of the endpoint: postgres or ssh.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Protocol string `json:"protocol,omitempty"`
	// credential repeats how credentials are minted, for the reader of a list.
	// +optional
	Credential CredentialType `json:"credential,omitempty"`
	// addresses are the resolved addresses that proxies may reach.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=45
	Addresses []string `json:"addresses,omitempty"`
	// serverVersion is what the server says of itself.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ServerVersion string `json:"serverVersion,omitempty"`
	// publicGrants are rights that the target gives to everybody (PUBLIC), and
	// so to every task, whatever its grant says: `CREATE ON SCHEMA orders.public`.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=512
	PublicGrants []string `json:"publicGrants,omitempty"`
	// certificateAuthority is the public key that an SSH server with credential
	// Certificate must trust, as a line of its TrustedUserCAKeys.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	CertificateAuthority string `json:"certificateAuthority,omitempty"`
}

// AccessTargetList is a list of AccessTargets.
//
// +kubebuilder:object:root=true
type AccessTargetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AccessTarget `json:"items"`
}
