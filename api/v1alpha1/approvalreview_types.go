package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ApprovalReview is one question put to reviewers. The manager opens it;
// reviewers add decisions; the manager counts them into the status.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=arev,categories=access
// +kubebuilder:printcolumn:name="Kind",type=string,JSONPath=`.spec.question.subject.kind`
// +kubebuilder:printcolumn:name="Task",type=string,JSONPath=`.spec.question.task.id`
// +kubebuilder:printcolumn:name="Requester",type=string,JSONPath=`.spec.question.requester.username`
// +kubebuilder:printcolumn:name="Target",type=string,JSONPath=`.spec.question.target.name`
// +kubebuilder:printcolumn:name="Policy",type=string,JSONPath=`.spec.question.policy.name`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.spec.question.expiresAt`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.status) || !has(oldSelf.status.outcome) || (has(self.status) && has(self.status.outcome) && self.status.outcome == oldSelf.status.outcome)",message="an outcome is terminal"
type ApprovalReview struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the question and the decisions.
	// +required
	Spec ApprovalReviewSpec `json:"spec,omitzero"`
	// status is the count.
	// +optional
	Status ApprovalReviewStatus `json:"status,omitempty"`
}

// ApprovalReviewSpec is a question, immutable, and decisions, each final.
//
// +kubebuilder:validation:XValidation:rule="self.question == oldSelf.question",message="question is immutable"
// +kubebuilder:validation:XValidation:rule="oldSelf.decisions.all(d, self.decisions.exists(n, n.reviewer == d.reviewer))",message="decisions are final: none can be taken back"
type ApprovalReviewSpec struct {
	// question is what is asked; copied, so that it cannot change under the reviewer.
	// +required
	Question Question `json:"question,omitzero"`
	// decisions of reviewers, one a person. Written even when empty, so that two
	// reviewers racing with JSON Patch `add` both land.
	// +required
	// +listType=map
	// +listMapKey=reviewer
	// +kubebuilder:default={}
	// +kubebuilder:validation:MaxItems=64
	Decisions []Decision `json:"decisions"`
}

// Question is what is asked of reviewers.
type Question struct {
	// subject is what the review is about.
	// +required
	Subject Subject `json:"subject,omitzero"`
	// requester copies the request's.
	// +required
	Requester Requester `json:"requester,omitzero"`
	// task copies the request's.
	// +required
	Task Task `json:"task,omitzero"`
	// reason copies the request's.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason"`
	// durationSeconds copies the request's.
	// +required
	DurationSeconds int32 `json:"durationSeconds"`
	// policy that the request matched.
	// +required
	Policy Bound `json:"policy,omitzero"`
	// target of the request.
	// +required
	Target Bound `json:"target,omitzero"`
	// grant is what the task would get: the policy's, narrowed by the request.
	// +required
	Grant Grant `json:"grant,omitzero"`
	// requirements copies the policy's; fromTask means the reviewer in task.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Requirements []ReviewRequirement `json:"requirements,omitempty"`
	// autoApproved is the policy's autoApprove expression, if it held when the
	// review opened: no decision is needed then.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	AutoApproved string `json:"autoApproved,omitempty"`
	// expiresAt is the deadline, by the manager's clock: a decision counts when
	// it was latched into the status before it.
	// +required
	ExpiresAt metav1.Time `json:"expiresAt,omitzero"`
}

// Subject is what a review is about.
//
// +kubebuilder:validation:XValidation:rule="has(self.held) == (self.kind == 'Statement')",message="held belongs to kind: Statement, and only there"
type Subject struct {
	// kind Request is the whole request, Statement one operation that is held.
	// +required
	Kind SubjectKind `json:"kind"`
	// request that it belongs to.
	// +required
	Request Bound `json:"request,omitzero"`
	// held is the operation, for kind Statement.
	// +optional
	Held *HeldOperation `json:"held,omitempty"`
}

// SubjectKind is what a review is about.
// +kubebuilder:validation:Enum=Request;Statement
type SubjectKind string

// What a review is about.
const (
	SubjectRequest   SubjectKind = "Request"
	SubjectStatement SubjectKind = "Statement"
)

// Decision is one reviewer's answer; final.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="decisions are final: none can be changed"
type Decision struct {
	// reviewer is the caller's own username; admission refuses another.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Reviewer string `json:"reviewer"`
	// uid is the caller's own, where the authenticator gives one.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	UID string `json:"uid,omitempty"`
	// groups are the caller's own; admission refuses others.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`
	// verdict of the reviewer.
	// +required
	Verdict Verdict `json:"verdict"`
	// message reaches the requester.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^[^\x00-\x08\x0b-\x1f\x7f-\x9f\x{202a}-\x{202e}\x{2066}-\x{2069}]*$`
	Message string `json:"message,omitempty"`
}

// Verdict is a reviewer's answer.
// +kubebuilder:validation:Enum=Approve;Deny
type Verdict string

// The verdicts.
const (
	VerdictApprove Verdict = "Approve"
	VerdictDeny    Verdict = "Deny"
)

// ApprovalReviewStatus is the manager's count.
type ApprovalReviewStatus struct {
	// observedGeneration is the generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready, whose reason is Pending, Approved, Denied, Expired or Withdrawn.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// outcome is terminal: once set it never changes.
	// +optional
	Outcome Outcome `json:"outcome,omitempty"`
	// decidedAt is when the outcome was reached.
	// +optional
	DecidedAt *metav1.Time `json:"decidedAt,omitempty"`
	// latched are the decisions that the manager saw before the outcome, and whether
	// they count.
	// +optional
	// +listType=map
	// +listMapKey=reviewer
	// +kubebuilder:validation:MaxItems=64
	Latched []LatchedDecision `json:"latched,omitempty"`
	// missing says in words what is still needed: `1 of dba`.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=128
	Missing []string `json:"missing,omitempty"`
}

// LatchedDecision is a decision that the manager has counted, or why it did not.
type LatchedDecision struct {
	// reviewer who decided.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Reviewer string `json:"reviewer"`
	// at is when the manager saw it.
	// +required
	At metav1.Time `json:"at,omitzero"`
	// verdict of the reviewer.
	// +required
	Verdict Verdict `json:"verdict"`
	// counted says whether it has a seat.
	// +optional
	Counted bool `json:"counted"`
	// seat is the requirement that it fills.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Seat string `json:"seat,omitempty"`
	// why it does not count.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Why string `json:"why,omitempty"`
}

// Outcome ends a review.
// +kubebuilder:validation:Enum=Approved;Denied;Expired;Withdrawn
type Outcome string

// The outcomes.
const (
	OutcomeApproved  Outcome = "Approved"
	OutcomeDenied    Outcome = "Denied"
	OutcomeExpired   Outcome = "Expired"
	OutcomeWithdrawn Outcome = "Withdrawn"
)

// ApprovalReviewList is a list of ApprovalReviews.
//
// +kubebuilder:object:root=true
type ApprovalReviewList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ApprovalReview `json:"items"`
}
