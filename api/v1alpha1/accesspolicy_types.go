package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AccessPolicy says, for some types of task on some targets, what is the least
// that such a task needs, who must review it, and which operations it may do.
// Who may ask under it is RBAC's verb `use` on it, who may review, verb `review`.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=apol,categories=access
// +kubebuilder:printcolumn:name="Task Types",type=string,JSONPath=`.spec.taskTypes`
// +kubebuilder:printcolumn:name="Targets",type=string,JSONPath=`.spec.targets`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="an AccessPolicy's name has at most 63 characters"
type AccessPolicy struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the policy.
	// +required
	Spec AccessPolicySpec `json:"spec,omitzero"`
	// status says whether it compiles and can be enforced here.
	// +optional
	Status AccessPolicyStatus `json:"status,omitempty"`
}

// AccessPolicySpec is read from top to bottom: for which tasks, what they get,
// what they may do with it, who reviews, and how a session runs.
//
// +kubebuilder:validation:XValidation:rule="!has(self.rules) || !self.rules.exists(r, r.effect in ['Hold', 'HoldCommit']) || (has(self.hold) && has(self.hold.requirements) && self.hold.requirements.size() > 0) || (has(self.review.requirements) && self.review.requirements.size() > 0)",message="a rule holds operations: name who answers in hold.requirements or review.requirements"
type AccessPolicySpec struct {
	// taskTypes are the types of task that this policy serves: `read`, `data-fix`.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	TaskTypes []string `json:"taskTypes"`
	// targets are the names of the AccessTargets of this namespace that it serves.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Targets []string `json:"targets"`
	// grant is the least that such a task needs.
	// +required
	Grant Grant `json:"grant,omitzero"`
	// rules judge each operation within the grant. All are evaluated: Deny wins
	// over Hold, Hold over HoldCommit, HoldCommit over Allow. Without an Allow rule
	// the grant itself allows; with one, what no Allow rule names is denied.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Rules []Rule `json:"rules,omitempty"`
	// review is who must say yes before anything reaches the target.
	// +required
	Review ReviewPolicy `json:"review,omitzero"`
	// hold is who answers for operations that a rule holds, and for how long.
	// +optional
	// +kubebuilder:default={}
	Hold HoldPolicy `json:"hold,omitzero"`
	// masking is what never leaves the target as it is.
	// +optional
	Masking *MaskingPolicy `json:"masking,omitempty"`
	// session bounds the task's sessions.
	// +optional
	// +kubebuilder:default={}
	Session SessionPolicy `json:"session,omitempty"`
	// recording is how dependably sessions are recorded.
	// +optional
	// +kubebuilder:default={}
	Recording RecordingPolicy `json:"recording,omitempty"`
	// isolation Required withholds the grant unless the proxy found that it
	// cannot reach the API server, that is, unless NetworkPolicy is enforced;
	// Reported only says so in the condition Isolated.
	// +optional
	// +kubebuilder:default=Required
	Isolation Isolation `json:"isolation,omitempty"`
}

// Isolation is what a policy asks of the proxy's network.
// +kubebuilder:validation:Enum=Required;Reported
type Isolation string

// What a policy may ask of the proxy's network.
const (
	IsolationRequired Isolation = "Required"
	IsolationReported Isolation = "Reported"
)

// Rule judges an operation.
type Rule struct {
	// name is told to whom the rule refuses.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
	// when is a CEL expression over action, session and task that yields a bool.
	// An evaluation that fails denies.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	When string `json:"when"`
	// effect on the operations that it holds for.
	// +required
	Effect Effect `json:"effect"`
	// message is told to whom the rule refuses.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^[^\x00-\x08\x0b-\x1f\x7f-\x9f\x{202a}-\x{202e}\x{2066}-\x{2069}]*$`
	Message string `json:"message,omitempty"`
}

// Effect is what a rule does to an operation.
// +kubebuilder:validation:Enum=Deny;Hold;HoldCommit;Allow
type Effect string

// The effects, strongest first. Hold stops the operation until reviewers say yes.
// HoldCommit lets it run inside an explicit transaction, whose COMMIT then waits
// for reviewers who see what it did; outside of one it is denied.
const (
	EffectDeny       Effect = "Deny"
	EffectHold       Effect = "Hold"
	EffectHoldCommit Effect = "HoldCommit"
	EffectAllow      Effect = "Allow"
)

// ReviewPolicy is who must say yes. Every requirement must be filled, by distinct
// people, none of them the requester.
//
// +kubebuilder:validation:XValidation:rule="(has(self.requirements) && self.requirements.size() > 0) || has(self.autoApprove)",message="name at least one requirement, or say autoApprove explicitly"
// +kubebuilder:validation:XValidation:rule="!has(self.requirements) || self.requirements.size() == 0 || self.requirements.exists(r, !has(r.fromTask))",message="fromTask cannot be in every requirement: the requester wrote that name"
type ReviewPolicy struct {
	// requirements are the seats to be filled.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Requirements []ReviewRequirement `json:"requirements,omitempty"`
	// autoApprove is a CEL expression over request and task; where it is true no
	// review is needed. An evaluation that fails does not approve.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	AutoApprove string `json:"autoApprove,omitempty"`
	// expiresAfterSeconds is how long a review stays open.
	// +optional
	// +kubebuilder:default=3600
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=604800
	ExpiresAfterSeconds int32 `json:"expiresAfterSeconds,omitempty"`
}

// ReviewRequirement is a number of seats, and who may take one.
//
// +kubebuilder:validation:XValidation:rule="(has(self.users) && self.users.size() > 0) || (has(self.groups) && self.groups.size() > 0) || has(self.fromTask)",message="say who may fill it: users, groups or fromTask"
// +kubebuilder:validation:XValidation:rule="!has(self.fromTask) || self.count == 1",message="a task names one reviewer: count is 1 with fromTask"
// +kubebuilder:validation:XValidation:rule="has(self.fromTask) || (has(self.groups) && self.groups.size() > 0) || !has(self.users) || self.count <= self.users.size()",message="count is more than the users that may fill it"
type ReviewRequirement struct {
	// name is shown to reviewers: `dba`.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
	// users who may fill it.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Users []string `json:"users,omitempty"`
	// groups whose members may fill it.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups,omitempty"`
	// fromTask Reviewer means the person that the request names as the task's reviewer.
	// +optional
	FromTask FromTask `json:"fromTask,omitempty"`
	// count of distinct people.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=8
	Count int32 `json:"count,omitempty"`
}

// FromTask names a person through the task.
// +kubebuilder:validation:Enum=Reviewer
type FromTask string

// FromTaskReviewer is the person that the request names as the task's reviewer.
const FromTaskReviewer FromTask = "Reviewer"

// SessionPolicy bounds a task and its sessions.
type SessionPolicy struct {
	// maxDurationSeconds is the most that a request may ask for.
	// +optional
	// +kubebuilder:default=3600
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=86400
	MaxDurationSeconds int32 `json:"maxDurationSeconds,omitempty"`
	// idleSeconds ends a session that moves no byte for so long; 0 is never.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	IdleSeconds int32 `json:"idleSeconds,omitempty"`
	// maxConcurrent is how many sessions a task may have at once.
	// +optional
	// +kubebuilder:default=4
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=64
	MaxConcurrent int32 `json:"maxConcurrent,omitempty"`
	// controlLossSeconds is how long sessions outlive the manager's silence, and
	// so the most by which a revocation can be late.
	// +optional
	// +kubebuilder:default=60
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=3600
	ControlLossSeconds int32 `json:"controlLossSeconds,omitempty"`
}

// AccessPolicyStatus says whether the policy grants anything.
type AccessPolicyStatus struct {
	// observedGeneration is the generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions are Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// digest of the policy, the one that reviews name.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest,omitempty"`
}

// AccessPolicyList is a list of AccessPolicies.
//
// +kubebuilder:object:root=true
type AccessPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AccessPolicy `json:"items"`
}
