package v1alpha1

// Names of the house: namespaces that only the operator's owners can enter.
const (
	// OperatorNamespace holds the manager and the root keys.
	OperatorNamespace = "sallyport-system"
	// ProxyNamespace holds the proxy pods and the recordings.
	ProxyNamespace = "sallyport-proxies"
	// TargetNamespace holds the targets' administrator credentials.
	TargetNamespace = "sallyport-targets"

	// ManagerServiceAccount is the manager's, in OperatorNamespace. Admission
	// policies name it.
	ManagerServiceAccount = "sallyport-manager"
	// ManagerUsername is how the API server knows the manager.
	ManagerUsername = "system:serviceaccount:" + OperatorNamespace + ":" + ManagerServiceAccount
)

// The protocols of targets and grants, as an AccessTarget's status has them.
const (
	ProtocolPostgres = "postgres"
	ProtocolSSH      = "ssh"
)

// Finalizer keeps a request until the target has proved that the task's
// credential is gone, and a target while requests are open on it.
const Finalizer = GroupName + "/teardown"

// Labels of every object that the operator makes for a request.
const (
	// LabelRequestUID is the request's UID.
	LabelRequestUID = GroupName + "/request-uid"
	// LabelRequestName is the request's name.
	LabelRequestName = GroupName + "/request"
	// LabelRequestNamespace is the request's namespace.
	LabelRequestNamespace = GroupName + "/request-namespace"
	// LabelComponent tells proxies from readers: `proxy`, `reader`.
	LabelComponent = "app.kubernetes.io/component"
	// LabelManagedBy is `sallyport`.
	LabelManagedBy = "app.kubernetes.io/managed-by"
)

// RBAC verbs on our kinds beside the ordinary ones.
const (
	// VerbUse on an AccessPolicy: may ask under it.
	VerbUse = "use"
	// VerbReview on an AccessPolicy: may review requests under it.
	VerbReview = "review"
	// VerbClose on a TaskAccessRequest: may close somebody else's.
	VerbClose = "close"
	// VerbAbandon on a TaskAccessRequest: may end Closing for a target that is
	// dead for good.
	VerbAbandon = "abandon"
)

// AnnotationAbandon, set on a Closing request by a holder of VerbAbandon, ends
// it unproved; its value is the reason.
const AnnotationAbandon = GroupName + "/abandon"

// AnnotationWithdrawn, set by the manager on a review of kind Statement, says since
// when nobody waits for its answer: the client cancelled, or left.
const AnnotationWithdrawn = GroupName + "/withdrawn"

// Names around recordings, in ProxyNamespace.
const (
	// StoreVolume is the store that is the PersistentVolumeClaim of the recordings.
	StoreVolume = "volume"
	// StorePrefix begins the name of a bucket's ConfigMap and Secret: sallyport-store-<name>.
	StorePrefix = "sallyport-store-"
	// RecordingKeysConfigMap holds the public keys that signatures of recordings are
	// checked with, one PEM each, named by key identifier.
	RecordingKeysConfigMap = "sallyport-recording-keys"
)

// VerbHold on taskaccessrequests/recording: may set or lift a legal hold on the
// recordings of a request.
const VerbHold = "hold"

// AnnotationLegalHold, set on a request by a holder of VerbHold, keeps its recordings
// whatever the policy's retention says; its value is the reason.
const AnnotationLegalHold = GroupName + "/legal-hold"
