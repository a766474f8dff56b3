package audit

import "time"

// Created is a request as it was made.
type Created struct {
	Requester       string   `json:"requester"`
	Groups          []string `json:"groups,omitempty"`
	Task            string   `json:"task"`
	TaskType        string   `json:"taskType"`
	TaskURL         string   `json:"taskURL,omitempty"`
	Reviewer        string   `json:"reviewer,omitempty"`
	Target          string   `json:"target"`
	Policy          string   `json:"policy,omitempty"`
	Reason          string   `json:"reason"`
	DurationSeconds int32    `json:"durationSeconds"`
}

// Bound is an object that something was decided about, with the digest that the
// decision is bound to.
type Bound struct {
	Name   string `json:"name"`
	UID    string `json:"uid"`
	Digest string `json:"digest"`
}

// Matched is the policy that serves a request.
type Matched struct {
	Policy        Bound  `json:"policy"`
	Target        Bound  `json:"target"`
	RequestDigest string `json:"requestDigest"`
	Review        string `json:"review"`
}

// Refused is why no policy serves a request, or none for now.
type Refused struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// Ended is why a request is over.
type Ended struct {
	Reason  string `json:"reason"`
	Message string `json:"message,omitempty"`
}

// Deleted is the last that was known of a request that is gone.
type Deleted struct {
	TornDown bool `json:"tornDown"`
}

// Opened is a question put to reviewers.
type Opened struct {
	Review       string        `json:"review"`
	Requester    string        `json:"requester"`
	Task         string        `json:"task"`
	Policy       Bound         `json:"policy"`
	Target       Bound         `json:"target"`
	Requirements []Requirement `json:"requirements,omitempty"`
	AutoApproved bool          `json:"autoApproved,omitempty"`
	ExpiresAt    time.Time     `json:"expiresAt"`
}

// Requirement is how many must say yes, and of whom.
type Requirement struct {
	Name  string `json:"name"`
	Count int32  `json:"count"`
}

// Decision is one reviewer's answer, as the manager counted it.
type Decision struct {
	Review    string `json:"review"`
	Operation string `json:"operation,omitempty"`
	Reviewer  string `json:"reviewer"`
	Verdict   string `json:"verdict"`
	Counted   bool   `json:"counted"`
	Seat      string `json:"seat,omitempty"`
	Why       string `json:"why,omitempty"`
	Message   string `json:"message,omitempty"`
}

// Outcome is how a review ended.
type Outcome struct {
	Review  string `json:"review"`
	Message string `json:"message,omitempty"`
}

// Grant is access that was given, and until when.
type Grant struct {
	Target         string    `json:"target"`
	Requester      string    `json:"requester"`
	CredentialType string    `json:"credentialType,omitempty"`
	CredentialName string    `json:"credentialName,omitempty"`
	GrantedAt      time.Time `json:"grantedAt"`
	ExpiresAt      time.Time `json:"expiresAt"`
}

// Certified is a certificate that was made for a task's proxy to log in to an SSH server.
// Serial is decimal: 64 bits are more than a JSON number keeps everywhere. Key is the
// fingerprint of the proxy's public key, as the server's log has it.
type Certified struct {
	Target      string    `json:"target"`
	Task        string    `json:"task"`
	Requester   string    `json:"requester"`
	Serial      string    `json:"serial"`
	KeyID       string    `json:"keyID"`
	Principals  []string  `json:"principals"`
	Key         string    `json:"key"`
	ValidAfter  time.Time `json:"validAfter"`
	ValidBefore time.Time `json:"validBefore"`
}

// Revoked is why access ended.
type Revoked struct {
	Target  string `json:"target"`
	Reason  string `json:"reason"`
	Message string `json:"message,omitempty"`
}

// Proxy is a task's proxy.
type Proxy struct {
	Pod     string `json:"pod,omitempty"`
	Message string `json:"message,omitempty"`
}

// Session is one client's connection to a task's proxy.
type Session struct {
	Session string `json:"session"`
	// Message says why it has ended.
	Message string `json:"message,omitempty"`
	// Allowed and Denied count its operations, at its end, and Events those of its
	// recording so far as they are reported.
	Allowed int64 `json:"allowed,omitempty"`
	Denied  int64 `json:"denied,omitempty"`
	Events  int64 `json:"events,omitempty"`
}

// Operation is an operation that was not simply let through. Text is masked.
type Operation struct {
	// Operation is `<session>/<number>`.
	Operation string `json:"operation"`
	Point     string `json:"point,omitempty"`
	Kind      string `json:"kind,omitempty"`
	Rule      string `json:"rule,omitempty"`
	Text      string `json:"text,omitempty"`
	// Digest of the very bytes, hex SHA-256.
	Digest  string   `json:"digest,omitempty"`
	Reads   []string `json:"reads,omitempty"`
	Writes  []string `json:"writes,omitempty"`
	Review  string   `json:"review,omitempty"`
	Message string   `json:"message,omitempty"`
	// By is who decided: Policy, Reviewers, Deadline, Client or Manager.
	By string `json:"by,omitempty"`
}

// Recording is how far a session's recording has come.
type Recording struct {
	Session  string `json:"session"`
	Events   int64  `json:"events"`
	Hash     string `json:"hash"`
	Segments int64  `json:"segments,omitempty"`
	// Key identifies the manager's key that signed the newest segment.
	Key string `json:"key,omitempty"`
}

// Lost is what could not be recorded.
type Lost struct {
	BestEffort bool   `json:"bestEffort"`
	Message    string `json:"message"`
}

// Read is somebody's look at recordings. Without a session it is the list of them.
type Read struct {
	User    string `json:"user"`
	UserUID string `json:"userUID,omitempty"`
	Session string `json:"session,omitempty"`
	Object  string `json:"object,omitempty"`
	Offset  int64  `json:"offset"`
	Bytes   int64  `json:"bytes"`
	// Refused says why nothing was read.
	Refused string `json:"refused,omitempty"`
	// CutShort says that the reader did not get all.
	CutShort bool `json:"cutShort,omitempty"`
}

// Removed is recordings that retention has removed.
type Removed struct {
	Store         string    `json:"store"`
	RetentionDays int32     `json:"retentionDays,omitempty"`
	EndedAt       time.Time `json:"endedAt,omitzero"`
	Message       string    `json:"message,omitempty"`
}

// Hold is a legal hold on recordings: by the request's annotation; by a policy, for all
// its requests; or by the operator's owners, in the ledger.
type Hold struct {
	Policy string `json:"policy,omitempty"`
	Owners bool   `json:"owners,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Teardown is the evidence that nothing of a task is left, or the lack of it.
type Teardown struct {
	Message string `json:"message"`
}

// Dropped is a gap: events for which there was no room, in a sink of this stream or,
// By proxy, in its reports, then counted since the proxy began.
type Dropped struct {
	Count int64     `json:"count"`
	Since time.Time `json:"since,omitzero"`
	By    string    `json:"by,omitempty"`
}

// Undeliverable is an event that a receiver does not take; the dead letters hold it.
type Undeliverable struct {
	Event   string `json:"event"`
	Type    Type   `json:"type"`
	Sink    string `json:"sink"`
	Message string `json:"message"`
}
