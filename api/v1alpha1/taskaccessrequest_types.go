package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TaskAccessRequest asks for access to one target for one task.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=tar,categories=access
// +kubebuilder:selectablefield:JSONPath=`.spec.requester.username`
// +kubebuilder:selectablefield:JSONPath=`.spec.target`
// +kubebuilder:printcolumn:name="Task",type=string,JSONPath=`.spec.task.id`
// +kubebuilder:printcolumn:name="Requester",type=string,JSONPath=`.spec.requester.username`
// +kubebuilder:printcolumn:name="Target",type=string,JSONPath=`.spec.target`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.status.expiresAt`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Policy",type=string,JSONPath=`.status.policy.name`,priority=1
// +kubebuilder:printcolumn:name="Review",type=string,JSONPath=`.status.review`,priority=1
// +kubebuilder:printcolumn:name="Proxy",type=string,JSONPath=`.status.endpoint.pod`,priority=1
// +kubebuilder:printcolumn:name="Evidence",type=string,JSONPath=`.status.teardown.message`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="a TaskAccessRequest's name has at most 63 characters"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.status) || !has(oldSelf.status.ended) || (has(self.status) && has(self.status.ended) && self.status.ended == oldSelf.status.ended)",message="an end is final"
type TaskAccessRequest struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what is asked for. All but state is immutable: an approval is
	// bound to its digest.
	// +required
	Spec TaskAccessRequestSpec `json:"spec,omitzero"`
	// status is what became of it.
	// +optional
	Status TaskAccessRequestStatus `json:"status,omitempty"`
}

// TaskAccessRequestSpec is what is asked for, and by whom.
//
// +kubebuilder:validation:XValidation:rule="self.requester == oldSelf.requester",message="requester is immutable"
// +kubebuilder:validation:XValidation:rule="has(self.policy) == has(oldSelf.policy) && has(self.clientKeys) == has(oldSelf.clientKeys) && has(self.grant) == has(oldSelf.grant)",message="a request is immutable but for state: close this one and make another"
// +kubebuilder:validation:XValidation:rule="!has(self.clientKeys) || self.clientKeys == oldSelf.clientKeys",message="clientKeys are immutable: close this request and make another"
// +kubebuilder:validation:XValidation:rule="!has(self.grant) || self.grant == oldSelf.grant",message="grant is immutable: close this request and make another"
type TaskAccessRequestSpec struct {
	// requester is who created the request. The API server stamps it; a value
	// that is not the caller's own is refused.
	// +required
	Requester Requester `json:"requester,omitzero"`
	// task is the work that needs the access.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="task is immutable: close this request and make another"
	Task Task `json:"task,omitzero"`
	// target is the name of an AccessTarget of this namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="target is immutable: close this request and make another"
	Target string `json:"target"`
	// policy is the name of an AccessPolicy of this namespace. Without it, the
	// one policy that serves the task's type on the target, and that the
	// requester may use, is taken; several are an error.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="policy is immutable: close this request and make another"
	Policy string `json:"policy,omitempty"`
	// reason is what the reviewers read: no control characters, no bidirectional
	// overrides (CVE-2021-42574), so that it reads as it is.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^[^\x00-\x08\x0b-\x1f\x7f-\x9f\x{202a}-\x{202e}\x{2066}-\x{2069}]*$`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="reason is immutable: close this request and make another"
	Reason string `json:"reason"`
	// durationSeconds counts from the grant.
	// +required
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=86400
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="durationSeconds is immutable: close this request and make another"
	DurationSeconds int32 `json:"durationSeconds"`
	// clientKeys are public keys in authorized_keys form (without options); the
	// proxy takes a TLS client certificate or an SSH key with one of them as the
	// requester's.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=16
	// +kubebuilder:validation:items:MaxLength=2048
	// +kubebuilder:validation:items:Pattern=`^(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|ssh-rsa) [A-Za-z0-9+/]+=*( [^\x00-\x1f\x7f-\x9f]*)?$`
	ClientKeys []string `json:"clientKeys,omitempty"`
	// grant narrows the policy's grant; what it names beyond that is refused.
	// +optional
	Grant *Grant `json:"grant,omitempty"`
	// state goes from Open to Closed, once.
	// +optional
	// +kubebuilder:default=Open
	// +kubebuilder:validation:XValidation:rule="self == oldSelf || self == 'Closed'",message="a closed request stays closed: make another"
	State RequestState `json:"state,omitempty"`
}

// RequestState is what the requester wants of the request.
// +kubebuilder:validation:Enum=Open;Closed
type RequestState string

// The states of a request.
const (
	StateOpen   RequestState = "Open"
	StateClosed RequestState = "Closed"
)

// Requester is a user as the API server authenticated them.
type Requester struct {
	// username as authenticated.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Username string `json:"username"`
	// uid as authenticated; many authenticators give none.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	UID string `json:"uid,omitempty"`
	// groups as authenticated.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`
}

// Task is the work that needs the access.
type Task struct {
	// id in the tracker: PAY-1423.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9._#/-]*[A-Za-z0-9])?$`
	ID string `json:"id"`
	// type decides which policies may serve it: `read`, `data-fix`.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Type string `json:"type"`
	// url of the task in the tracker.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^https?://[!-~]+$`
	URL string `json:"url,omitempty"`
	// reviewer is the username of the task's reviewer.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f-\x9f\x{202a}-\x{202e}\x{2066}-\x{2069}]*$`
	Reviewer string `json:"reviewer,omitempty"`
}

// TaskAccessRequestStatus is what became of a request. The manager alone writes it.
type TaskAccessRequestStatus struct {
	// observedGeneration is the generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are PolicyMatched, Approved, ProxyReady, Isolated,
	// CredentialIssued, Certified, Ready. The reason of Ready is the state in one word.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// policy is the match, latched when the review opened.
	// +optional
	Policy *Bound `json:"policy,omitempty"`
	// target is the target, latched when the review opened.
	// +optional
	Target *Bound `json:"target,omitempty"`
	// requestDigest is the digest of this request's spec, latched likewise.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	RequestDigest string `json:"requestDigest,omitempty"`
	// review is the name of the ApprovalReview.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Review string `json:"review,omitempty"`
	// grantedAt is when the duration began to count.
	// +optional
	GrantedAt *metav1.Time `json:"grantedAt,omitempty"`
	// expiresAt is when everything ends: the review's deadline before the
	// grant, the task's after it.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
	// ended says why the request came to its end: closed, denied, expired, void.
	// Once set it never changes, and nothing is granted any more.
	// +optional
	Ended *Ended `json:"ended,omitempty"`
	// closedAt is when nothing was left to tear down; teardown is the evidence.
	// +optional
	ClosedAt *metav1.Time `json:"closedAt,omitempty"`
	// endpoint is where the proxy is, and how to know that it is the task's.
	// +optional
	Endpoint *Endpoint `json:"endpoint,omitempty"`
	// credential names what was made on the target; never a secret.
	// +optional
	Credential *IssuedCredential `json:"credential,omitempty"`
	// sessions counts what went through the proxy.
	// +optional
	Sessions *SessionCounts `json:"sessions,omitempty"`
	// recording is where the sessions are kept, with the heads of their chains.
	// +optional
	Recording *RecordingStatus `json:"recording,omitempty"`
	// teardown is the evidence that nothing is left, or why there is none yet.
	// +optional
	Teardown *Teardown `json:"teardown,omitempty"`
}

// Ended is why a request came to its end.
type Ended struct {
	// reason in one word: Closed, Denied, Expired, Void.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Reason string `json:"reason"`
	// message says who or what ended it.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
	// at is when the manager saw it.
	// +required
	At metav1.Time `json:"at,omitzero"`
}

// Bound is an object that an approval is bound to.
type Bound struct {
	// name of the object.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// uid of the object.
	// +required
	// +kubebuilder:validation:MaxLength=64
	UID string `json:"uid"`
	// digest of its canonical spec and UID, with the version of the digest in
	// front: `v1:sha256:…`.
	// +required
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest"`
}

// Endpoint is where the task's proxy listens.
type Endpoint struct {
	// namespace of the proxy.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`
	// pod of the proxy; the requester's port-forward Role names it.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Pod string `json:"pod"`
	// service of the proxy, for clients inside the cluster.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Service string `json:"service"`
	// port of the proxy, on pod and service alike.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`
	// serverName is the name in the proxy's certificate, and that of its SSH host key.
	// +required
	// +kubebuilder:validation:MaxLength=253
	ServerName string `json:"serverName"`
	// caBundle is the PEM of the authority of that certificate.
	// +optional
	// +kubebuilder:validation:MaxLength=32768
	CABundle string `json:"caBundle,omitempty"`
	// hostKey is the proxy's SSH host key, made for this task: `type base64`.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	HostKey string `json:"hostKey,omitempty"`
	// logins are what an SSH client may name as its user.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=32
	Logins []string `json:"logins,omitempty"`
	// database is what a Postgres client names as the database.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Database string `json:"database,omitempty"`
}

// IssuedCredential names what was made on the target for this task.
type IssuedCredential struct {
	// type of the credential.
	// +required
	Type CredentialType `json:"type"`
	// name of it on the target: the role, or the certificates' key ID.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// generation of its secret.
	// +optional
	Generation int32 `json:"generation,omitempty"`
	// validUntil is when the target itself stops taking it. A static one it never
	// stops taking: then the proxy alone ends the task at this time.
	// +optional
	ValidUntil *metav1.Time `json:"validUntil,omitempty"`
}

// SessionCounts counts what went through the proxy, over all its sessions. Where a
// proxy was replaced they are the larger of the two's; the recordings hold all.
type SessionCounts struct {
	// active sessions now.
	// +optional
	Active int32 `json:"active"`
	// total sessions so far.
	// +optional
	Total int32 `json:"total"`
	// allowed operations.
	// +optional
	Allowed int64 `json:"allowed"`
	// refused operations.
	// +optional
	Refused int64 `json:"refused"`
}

// Teardown is the evidence that nothing of the task is left.
type Teardown struct {
	// proved says that the target itself showed it.
	// +optional
	Proved bool `json:"proved"`
	// message is the evidence in one line.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
	// checkedAt is when the target was asked.
	// +optional
	CheckedAt *metav1.Time `json:"checkedAt,omitempty"`
}

// TaskAccessRequestList is a list of TaskAccessRequests.
//
// +kubebuilder:object:root=true
type TaskAccessRequestList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []TaskAccessRequest `json:"items"`
}
