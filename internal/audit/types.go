package audit

// Type is the type of an event. A type is a promise: its data may gain fields, and
// loses or changes none; what would break that gets a new type.
type Type string

// The types, with the struct that is their data.
const (
	RequestCreated Type = "dev.sallyport.request.created" // Created
	RequestMatched Type = "dev.sallyport.request.matched" // Matched
	RequestRefused Type = "dev.sallyport.request.refused" // Refused
	RequestEnded   Type = "dev.sallyport.request.ended"   // Ended
	RequestDeleted Type = "dev.sallyport.request.deleted" // Deleted

	ReviewOpened    Type = "dev.sallyport.review.opened"    // Opened
	ReviewDecision  Type = "dev.sallyport.review.decision"  // Decision
	ReviewApproved  Type = "dev.sallyport.review.approved"  // Outcome
	ReviewDenied    Type = "dev.sallyport.review.denied"    // Outcome
	ReviewExpired   Type = "dev.sallyport.review.expired"   // Outcome
	ReviewWithdrawn Type = "dev.sallyport.review.withdrawn" // Outcome

	GrantIssued    Type = "dev.sallyport.grant.issued"    // Grant
	GrantExtended  Type = "dev.sallyport.grant.extended"  // Grant
	GrantCertified Type = "dev.sallyport.grant.certified" // Certified
	GrantRevoked   Type = "dev.sallyport.grant.revoked"   // Revoked

	ProxyReady    Type = "dev.sallyport.proxy.ready"    // Proxy
	ProxyIsolated Type = "dev.sallyport.proxy.isolated" // Proxy
	ProxyExposed  Type = "dev.sallyport.proxy.exposed"  // Proxy

	SessionBegun Type = "dev.sallyport.session.begun" // Session
	SessionEnded Type = "dev.sallyport.session.ended" // Session

	OperationDenied    Type = "dev.sallyport.operation.denied"    // Operation
	OperationHeld      Type = "dev.sallyport.operation.held"      // Operation
	OperationApproved  Type = "dev.sallyport.operation.approved"  // Operation
	OperationExpired   Type = "dev.sallyport.operation.expired"   // Operation
	OperationWithdrawn Type = "dev.sallyport.operation.withdrawn" // Operation

	RecordingSealed      Type = "dev.sallyport.recording.sealed"       // Recording
	RecordingLost        Type = "dev.sallyport.recording.lost"         // Lost
	RecordingIncomplete  Type = "dev.sallyport.recording.incomplete"   // Recording
	RecordingRead        Type = "dev.sallyport.recording.read"         // Read
	RecordingRemoved     Type = "dev.sallyport.recording.removed"      // Removed
	RecordingHoldSet     Type = "dev.sallyport.recording.hold_set"     // Hold
	RecordingHoldCleared Type = "dev.sallyport.recording.hold_cleared" // Hold

	TeardownProved    Type = "dev.sallyport.teardown.proved"    // Teardown
	TeardownUnproved  Type = "dev.sallyport.teardown.unproved"  // Teardown
	TeardownAbandoned Type = "dev.sallyport.teardown.abandoned" // Teardown

	// The stream's own: a gap, and an event that a receiver does not take.
	StreamDropped       Type = "dev.sallyport.audit.dropped"       // Dropped
	StreamUndeliverable Type = "dev.sallyport.audit.undeliverable" // Undeliverable
)
