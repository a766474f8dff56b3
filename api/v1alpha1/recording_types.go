package v1alpha1

// RecordingPolicy is how dependably sessions are recorded, where, and for how long.
// What a later version added has no default but its zero: an approval is bound to
// the policy's digest, which must not change with an upgrade.
//
// +kubebuilder:validation:XValidation:rule="!has(self.durability) || self.durability != 'Remote' || (has(self.store) && self.store != 'volume')",message="durability Remote needs a bucket: name its store in recording.store (a volume gives Disk)"
type RecordingPolicy struct {
	// store is the name of one of the installation's stores: `volume`, the
	// PersistentVolumeClaim, which an empty name means too, or a bucket's.
	// +optional
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Store string `json:"store,omitempty"`
	// durability is what a record has survived before its operation is forwarded:
	// Process, the proxy's death; Disk, the node's; Remote, acknowledged by the bucket.
	// +optional
	// +kubebuilder:default=Process
	Durability Durability `json:"durability,omitempty"`
	// required ends the task's sessions when they cannot be recorded, and is the default;
	// false lets them go on, and says in status and evidence what is lost.
	// +optional
	Required *bool `json:"required,omitempty"`
	// output is what is kept of what the target answers: Counts, rows and bytes;
	// Full, the rows themselves, or what a command said, as the client got them. What
	// terminals show is kept in any case.
	// +optional
	// +kubebuilder:default=Counts
	Output OutputRecording `json:"output,omitempty"`
	// fileContentBytes is how much of each file that sftp or scp moves is kept, from its
	// beginning, unmasked; 0 keeps its name, size and SHA-256 alone.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1048576
	FileContentBytes int32 `json:"fileContentBytes,omitempty"`
	// encryption keeps recordings from whoever administers the store.
	// +optional
	Encryption *RecordingEncryption `json:"encryption,omitempty"`
	// retentionDays is how long recordings are kept, counted from the request's end;
	// then they are removed. 0 keeps them for ever.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=36500
	RetentionDays int32 `json:"retentionDays,omitempty"`
	// legalHold keeps the recordings of this policy's requests until the operator's
	// owners lift it, whatever retentionDays says.
	// +optional
	LegalHold bool `json:"legalHold,omitempty"`
}

// RecordingEncryption is for whom recordings are encrypted.
type RecordingEncryption struct {
	// recipients are age public keys (age1…), any one of whose owners can read.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=62
	// +kubebuilder:validation:items:Pattern=`^age1[02-9ac-hj-np-z]{58}$`
	Recipients []string `json:"recipients"`
}

// OutputRecording is what is kept of what the target answers.
// +kubebuilder:validation:Enum=Counts;Full
type OutputRecording string

// What is kept of what the target answers.
const (
	OutputCounts OutputRecording = "Counts"
	OutputFull   OutputRecording = "Full"
)

// Durability is what a record has survived before its operation is forwarded.
// +kubebuilder:validation:Enum=Process;Disk;Remote
type Durability string

// The durabilities, cheapest first.
const (
	DurabilityProcess Durability = "Process"
	DurabilityDisk    Durability = "Disk"
	DurabilityRemote  Durability = "Remote"
)

// RecordingStatus is where the sessions are kept, and how far they are known.
type RecordingStatus struct {
	// store is the name of the store that holds them.
	// +optional
	// +kubebuilder:validation:MaxLength=40
	Store string `json:"store,omitempty"`
	// path in the store; from UIDs only.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Path string `json:"path,omitempty"`
	// bestEffort says that sessions went on where they could not be recorded.
	// +optional
	BestEffort bool `json:"bestEffort,omitempty"`
	// lost says what could not be recorded, and why; once set it never goes away.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Lost string `json:"lost,omitempty"`
	// head is the heads of the most recent sessions' chains.
	// +optional
	// +listType=map
	// +listMapKey=session
	// +kubebuilder:validation:MaxItems=64
	Head []RecordingHead `json:"head,omitempty"`
}

// RecordingHead is how far one session's recording has come, by the proxy's word,
// and up to where the manager has signed it.
type RecordingHead struct {
	// session is the session's identifier.
	// +required
	// +kubebuilder:validation:MaxLength=64
	Session string `json:"session"`
	// sequence is the number of events.
	// +required
	Sequence int64 `json:"sequence"`
	// hash of the recording up to the newest event, hex SHA-256.
	// +required
	// +kubebuilder:validation:MaxLength=64
	Hash string `json:"hash"`
	// complete says that the session ended and its recording with it.
	// +optional
	Complete bool `json:"complete,omitempty"`
	// sealed is the newest segment that the manager has signed.
	// +optional
	Sealed *SealedHead `json:"sealed,omitempty"`
}

// SealedHead is the newest signed segment of one session's recording.
type SealedHead struct {
	// segment is its number, from 1.
	// +required
	// +kubebuilder:validation:Minimum=1
	Segment int64 `json:"segment"`
	// sequence of its last event.
	// +required
	// +kubebuilder:validation:Minimum=0
	Sequence int64 `json:"sequence"`
	// hash of the segment, hex SHA-256.
	// +required
	// +kubebuilder:validation:MaxLength=64
	Hash string `json:"hash"`
	// key identifies the public key: the first 16 hex digits of its SHA-256.
	// +required
	// +kubebuilder:validation:MaxLength=64
	Key string `json:"key"`
	// signature of the segment's statement: Ed25519, in base64.
	// +required
	// +kubebuilder:validation:MaxLength=128
	Signature string `json:"signature"`
	// after is the segment that was signed before, where unsigned ones lie between.
	// +optional
	// +kubebuilder:validation:Minimum=1
	After int64 `json:"after,omitempty"`
	// afterHash is the hash of segment after, hex SHA-256.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	AfterHash string `json:"afterHash,omitempty"`
}
