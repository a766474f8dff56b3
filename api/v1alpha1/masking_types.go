package v1alpha1

// MaskingPolicy is what never leaves the target as it is: neither to the client
// nor to the recording nor to a review.
type MaskingPolicy struct {
	// columns are masked wherever their values come out.
	// +optional
	// +listType=map
	// +listMapKey=schema
	// +listMapKey=relation
	// +listMapKey=column
	// +kubebuilder:validation:MaxItems=256
	Columns []ColumnMask `json:"columns,omitempty"`
	// detectors find values by their form in any text that leaves; of an SSH server, in
	// what commands and shells show.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Detectors []DetectorMask `json:"detectors,omitempty"`
	// inference Refused refuses a statement in which a masked column decides which
	// rows come out, or in which order; Allowed lets it pass.
	// +optional
	// +kubebuilder:default=Refused
	Inference Inference `json:"inference,omitempty"`
}

// Inference is whether masked columns may stand in predicates.
// +kubebuilder:validation:Enum=Refused;Allowed
type Inference string

// Whether masked columns may stand in predicates.
const (
	InferenceRefused Inference = "Refused"
	InferenceAllowed Inference = "Allowed"
)

// ColumnMask masks one column of a table; through views of it, too.
type ColumnMask struct {
	// schema of the relation.
	// +optional
	// +kubebuilder:default=public
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]+$`
	Schema string `json:"schema,omitempty"`
	// relation that has the column.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]+$`
	Relation string `json:"relation"`
	// column to mask.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]+$`
	Column string `json:"column"`
	// mask is how.
	// +optional
	// +kubebuilder:default={}
	Mask Mask `json:"mask,omitzero"`
}

// DetectorMask masks what a detector finds.
//
// +kubebuilder:validation:XValidation:rule="has(self.pattern) == (self.detect == 'Pattern')",message="pattern belongs to detect: Pattern, and only there"
type DetectorMask struct {
	// name is told in the recording: why a value was masked.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
	// detect is what it finds.
	// +required
	Detect Detect `json:"detect"`
	// pattern is an RE2 expression, for detect Pattern. It must contain a literal of
	// three characters at least, by which text without a match is passed over.
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=512
	Pattern string `json:"pattern,omitempty"`
	// mask is how.
	// +optional
	// +kubebuilder:default={}
	Mask Mask `json:"mask,omitzero"`
}

// Detect is a form of value.
// +kubebuilder:validation:Enum=PaymentCard;Email;Phone;IBAN;NationalID;IPAddress;JWT;PrivateKey;CloudKey;Pattern
type Detect string

// The forms of value that detectors know.
const (
	DetectPaymentCard Detect = "PaymentCard"
	DetectEmail       Detect = "Email"
	DetectPhone       Detect = "Phone"
	DetectIBAN        Detect = "IBAN"
	DetectNationalID  Detect = "NationalID"
	DetectIPAddress   Detect = "IPAddress"
	DetectJWT         Detect = "JWT"
	DetectPrivateKey  Detect = "PrivateKey"
	DetectCloudKey    Detect = "CloudKey"
	DetectPattern     Detect = "Pattern"
)

// Mask is how a value is masked. Where a way does not fit the value's type, the
// value becomes NULL.
//
// +kubebuilder:validation:XValidation:rule="has(self.keepLast) == (has(self.how) && self.how == 'Partial')",message="keepLast belongs to how: Partial, and only there"
// +kubebuilder:validation:XValidation:rule="has(self.constant) == (has(self.how) && self.how == 'Constant')",message="constant belongs to how: Constant, and only there"
type Mask struct {
	// how it is done: Redact replaces it with a fixed word, Partial keeps its last characters,
	// Hash puts a keyed hash in its place that is stable within the task, Null makes
	// it NULL, Constant puts a value of the policy's in its place.
	// +optional
	// +kubebuilder:default=Redact
	How MaskHow `json:"how,omitempty"`
	// keepLast is how many characters Partial keeps, of values at least twice as long.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	KeepLast int32 `json:"keepLast,omitempty"`
	// constant is the value of Constant, as text.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Constant *string `json:"constant,omitempty"`
}

// MaskHow is a way to mask.
// +kubebuilder:validation:Enum=Redact;Partial;Hash;Null;Constant
type MaskHow string

// The ways to mask.
const (
	MaskRedact   MaskHow = "Redact"
	MaskPartial  MaskHow = "Partial"
	MaskHash     MaskHow = "Hash"
	MaskNull     MaskHow = "Null"
	MaskConstant MaskHow = "Constant"
)
