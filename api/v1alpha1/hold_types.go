package v1alpha1

// HoldPolicy is how operations are held that a rule with effect Hold or HoldCommit
// names.
//
// +kubebuilder:validation:XValidation:rule="!has(self.requirements) || self.requirements.size() == 0 || self.requirements.exists(r, !has(r.fromTask))",message="fromTask cannot be in every requirement: the requester wrote that name"
type HoldPolicy struct {
	// requirements are who must say yes to a held operation; by default those of
	// review. A policy that holds must have one or the other.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Requirements []ReviewRequirement `json:"requirements,omitempty"`
	// timeoutSeconds is how long a statement is held before it is denied.
	// +optional
	// +kubebuilder:default=300
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=3600
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`
	// commitTimeoutSeconds is how long a COMMIT is held before the transaction is
	// rolled back: its locks are held as long.
	// +optional
	// +kubebuilder:default=60
	// +kubebuilder:validation:Minimum=5
	// +kubebuilder:validation:Maximum=3600
	CommitTimeoutSeconds int32 `json:"commitTimeoutSeconds,omitempty"`
	// lockTimeoutSeconds is how long a statement of a transaction whose COMMIT will
	// be held may wait for a lock.
	// +optional
	// +kubebuilder:default=5
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=600
	LockTimeoutSeconds int32 `json:"lockTimeoutSeconds,omitempty"`
	// statementTimeoutSeconds is how long a statement of such a transaction may run.
	// +optional
	// +kubebuilder:default=60
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	StatementTimeoutSeconds int32 `json:"statementTimeoutSeconds,omitempty"`
	// maxOpen is how many operations of a task may be held at once; more are denied.
	// +optional
	// +kubebuilder:default=4
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=32
	MaxOpen int32 `json:"maxOpen,omitempty"`
	// rowImages is how many changed rows of a relation a held COMMIT shows, before
	// and after, masked; 0 shows counts only.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=50
	RowImages int32 `json:"rowImages,omitempty"`
}

// HeldOperation is what a review of kind Statement asks about. Its texts are
// masked as the policy says, and hold no password.
type HeldOperation struct {
	// id names the operation within the request: `<session>/<operation>`.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	ID string `json:"id"`
	// point is where it is held: Statement, before it runs; Commit, after the
	// transaction has run and before it counts.
	// +required
	Point HoldPoint `json:"point"`
	// digest of the very bytes that an approval releases: SHA-256 over text and
	// values, in hex.
	// +required
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	Digest string `json:"digest"`
	// rule of the policy that holds it.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Rule string `json:"rule"`
	// message of that rule.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
	// kind of operation, as rules see it: `update`.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// text of the operation, masked.
	// +required
	// +kubebuilder:validation:MaxLength=16384
	Text string `json:"text"`
	// values bound to its parameters, masked, as SQL would write them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=16384
	Values []string `json:"values,omitempty"`
	// reads are the relations that it reads, writes those that it writes, views,
	// functions and triggers looked into.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MaxLength=200
	Reads []string `json:"reads,omitempty"`
	// writes are the relations that it writes.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MaxLength=200
	Writes []string `json:"writes,omitempty"`
	// hasWhere says that an update or delete names its rows.
	// +optional
	HasWhere bool `json:"hasWhere,omitempty"`
	// estimatedRows is the planner's estimate of the rows that it touches; absent
	// where there is none.
	// +optional
	// +kubebuilder:validation:Minimum=0
	EstimatedRows *int64 `json:"estimatedRows,omitempty"`
	// preview says where the estimate comes from, or why there is none.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Preview string `json:"preview,omitempty"`
	// warnings are what a reviewer should know: locks that are held meanwhile, what
	// the effects do not cover.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=512
	Warnings []string `json:"warnings,omitempty"`
	// effects of the transaction so far, at point Commit.
	// +optional
	// +listType=map
	// +listMapKey=relation
	// +kubebuilder:validation:MaxItems=64
	Effects []RelationEffect `json:"effects,omitempty"`
}

// HoldPoint is where an operation is held.
// +kubebuilder:validation:Enum=Statement;Commit
type HoldPoint string

// Where an operation is held.
const (
	HoldAtStatement HoldPoint = "Statement"
	HoldAtCommit    HoldPoint = "Commit"
)

// RelationEffect is what a transaction has done to one relation since its BEGIN,
// by the target's own statistics.
type RelationEffect struct {
	// relation as schema.name.
	// +required
	// +kubebuilder:validation:MaxLength=200
	Relation string `json:"relation"`
	// inserted rows.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Inserted int64 `json:"inserted,omitempty"`
	// updated rows.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Updated int64 `json:"updated,omitempty"`
	// deleted rows.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Deleted int64 `json:"deleted,omitempty"`
	// images of some of the rows, masked.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Images []RowImage `json:"images,omitempty"`
	// note says why there are no images, or fewer.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Note string `json:"note,omitempty"`
}

// RowImage is one row before and after. An inserted row has no before, a deleted
// one no after.
type RowImage struct {
	// before is the row as JSON.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Before string `json:"before,omitempty"`
	// after is the row as JSON.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	After string `json:"after,omitempty"`
}
