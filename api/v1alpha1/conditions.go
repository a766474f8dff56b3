package v1alpha1

// Condition types.
const (
	// ConditionReady is the summary of every kind; its reason is the state in one word.
	ConditionReady = "Ready"

	// ConditionPolicyMatched: exactly one policy serves the request.
	ConditionPolicyMatched = "PolicyMatched"
	// ConditionApproved: the review says yes, and nothing it was bound to has changed.
	ConditionApproved = "Approved"
	// ConditionProxyReady: the proxy listens and has reached the manager.
	ConditionProxyReady = "ProxyReady"
	// ConditionIsolated: the proxy cannot reach the API server.
	ConditionIsolated = "Isolated"
	// ConditionCredentialIssued: the target knows the task's credential.
	ConditionCredentialIssued = "CredentialIssued"
	// ConditionCertified: an SSH certificate was made for the proxy, or was about to be.
	ConditionCertified = "Certified"

	// ConditionReachable: the target answers.
	ConditionReachable = "Reachable"
	// ConditionCredentialWorks: the administrator's credential of a target works.
	ConditionCredentialWorks = "CredentialWorks"
	// ConditionInUse: requests are open on a target; its deletion waits for them.
	ConditionInUse = "InUse"
)

// Reasons of a request's Ready: the column STATE.
const (
	ReasonNoPolicy       = "NoPolicy"
	ReasonAmbiguous      = "Ambiguous"
	ReasonPending        = "Pending"
	ReasonAwaitingReview = "AwaitingReview"
	ReasonGranting       = "Granting"
	ReasonActive         = "Active"
	ReasonClosing        = "Closing"
	ReasonClosed         = "Closed"
	ReasonDenied         = "Denied"
	ReasonExpired        = "Expired"
	ReasonVoid           = "Void"
	ReasonAbandoned      = "Abandoned"
)

// Reasons shared by policies and targets.
const (
	ReasonReady       = "Ready"
	ReasonInvalid     = "Invalid"
	ReasonUnsupported = "Unsupported"
	ReasonUnreachable = "Unreachable"
	ReasonNoSecret    = "NoSecret"
	ReasonMismatch    = "Mismatch"
	ReasonUnsafe      = "Unsafe"
)
