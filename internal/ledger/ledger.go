// Package ledger is what is kept of a task's recordings beside the recordings: whose
// they are, where, until when, and who holds them. It is a ConfigMap of the proxies'
// namespace, so that it outlives the request and the request's namespace. It is pure.
package ledger

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Component is the value of v1alpha1.LabelComponent on every entry.
const Component = "ledger"

// Forever is the keepUntil of recordings without an end.
const Forever = "for ever"

// Keys of an entry. The holds, and keepUntil, are for the operator's owners to edit.
const (
	keyUID           = "requestUID"
	keyNamespace     = "namespace"
	keyRequest       = "request"
	keyRequester     = "requester"
	keyPolicy        = "policy"
	keyStore         = "store"
	keyRetentionDays = "retentionDays"
	keyOpenedAt      = "openedAt"
	keyClosedAt      = "closedAt"
	keyKeepUntil     = "keepUntil"
	keyHold          = "hold"
	keyPolicyHold    = "holdByPolicy"
	keyRequestHold   = "holdByRequest"
	keyBucketHold    = "bucketHold"
	keyRemovedAt     = "removedAt"
	keyMessage       = "message"
)

// Entry is one task's.
type Entry struct {
	UID, Namespace, Request, Requester string
	Policy, Store                      string
	// RetentionDays count from the close; 0 is for ever.
	RetentionDays int32
	OpenedAt      time.Time
	// ClosedAt is zero while the request is open.
	ClosedAt time.Time
	// KeepUntil is zero for ever, and while the request is open.
	KeepUntil time.Time
	// Hold is the owners' own, PolicyHold the policy's, RequestHold that of the request's
	// annotation: reasons, each of which keeps the recordings.
	Hold, PolicyHold, RequestHold string
	// BucketHold says that the bucket's own lock has been told of a hold.
	BucketHold bool
	// RemovedAt is when the recordings were removed; Message what was last tried, or done.
	RemovedAt time.Time
	Message   string
}

// Name is the entry's name for a request.
func Name(uid string) string { return "recordings-" + uid }

// Held says who holds the recordings, and why; empty if nobody does.
func (e Entry) Held() string {
	var holds []string
	for _, hold := range []struct{ by, reason string }{
		{"the operator's owners", e.Hold}, {"policy " + e.Policy, e.PolicyHold}, {"the request's annotation", e.RequestHold},
	} {
		if hold.reason != "" {
			holds = append(holds, hold.by+": "+hold.reason)
		}
	}
	return strings.Join(holds, "; ")
}

// Close latches the end of the request, from which retention counts.
func (e *Entry) Close(now time.Time) {
	if !e.ClosedAt.IsZero() {
		return
	}
	// What was written with permissions of before a hold is to be told of it, too.
	e.ClosedAt, e.BucketHold = now, false
	if e.RetentionDays > 0 {
		e.KeepUntil = now.Add(time.Duration(e.RetentionDays) * 24 * time.Hour)
	}
}

// ConfigMap is the entry as it is stored.
func (e Entry) ConfigMap() *corev1.ConfigMap {
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name: Name(e.UID), Namespace: v1alpha1.ProxyNamespace,
		Labels: map[string]string{
			v1alpha1.LabelManagedBy: "sallyport", v1alpha1.LabelComponent: Component,
			v1alpha1.LabelRequestUID: e.UID, v1alpha1.LabelRequestNamespace: e.Namespace, v1alpha1.LabelRequestName: e.Request,
		},
	}}
	e.Write(config)
	return config
}

// Write puts the entry into a ConfigMap, leaving what it does not know.
func (e Entry) Write(config *corev1.ConfigMap) {
	until := stamp(e.KeepUntil)
	if until == "" && !e.ClosedAt.IsZero() {
		until = Forever
	}
	if config.Data == nil {
		config.Data = map[string]string{}
	}
	for key, value := range map[string]string{
		keyUID: e.UID, keyNamespace: e.Namespace, keyRequest: e.Request, keyRequester: e.Requester,
		keyPolicy: e.Policy, keyStore: e.Store, keyRetentionDays: strconv.Itoa(int(e.RetentionDays)),
		keyOpenedAt: stamp(e.OpenedAt), keyClosedAt: stamp(e.ClosedAt), keyKeepUntil: until,
		keyHold: e.Hold, keyPolicyHold: e.PolicyHold, keyRequestHold: e.RequestHold,
		keyBucketHold: flag(e.BucketHold), keyRemovedAt: stamp(e.RemovedAt), keyMessage: e.Message,
	} {
		if value == "" {
			delete(config.Data, key)
		} else {
			config.Data[key] = value
		}
	}
}

// Parse reads an entry. One that cannot be read keeps its recordings: an error never
// means that there is no hold.
func Parse(config *corev1.ConfigMap) (Entry, error) {
	p := parser{data: config.Data}
	e := Entry{
		UID: config.Data[keyUID], Namespace: config.Data[keyNamespace], Request: config.Data[keyRequest], Requester: config.Data[keyRequester],
		Policy: config.Data[keyPolicy], Store: config.Data[keyStore],
		Hold: config.Data[keyHold], PolicyHold: config.Data[keyPolicyHold], RequestHold: config.Data[keyRequestHold],
		BucketHold: config.Data[keyBucketHold] != "", Message: config.Data[keyMessage],
		OpenedAt: p.time(keyOpenedAt), ClosedAt: p.time(keyClosedAt), RemovedAt: p.time(keyRemovedAt),
	}
	if config.Data[keyKeepUntil] != Forever {
		e.KeepUntil = p.time(keyKeepUntil)
	}
	days, err := strconv.ParseInt(config.Data[keyRetentionDays], 10, 32)
	if err != nil || days < 0 {
		p.fail(keyRetentionDays, "a number of days")
	}
	e.RetentionDays = int32(days)
	if e.UID == "" || config.Name != Name(e.UID) {
		p.fail(keyUID, "that of the entry's name")
	}
	for key, value := range map[string]string{keyStore: e.Store, keyNamespace: e.Namespace, keyRequest: e.Request} {
		if value == "" {
			p.fail(key, "a name")
		}
	}
	return e, p.err
}

type parser struct {
	data map[string]string
	err  error
}

func (p *parser) fail(key, want string) {
	if p.err == nil {
		p.err = fmt.Errorf("the entry's %s must be %s", key, want)
	}
}

func (p *parser) time(key string) time.Time {
	value := p.data[key]
	if value == "" {
		return time.Time{}
	}
	parsed, err := time.Parse(time.RFC3339, value)
	if err != nil {
		p.fail(key, "a time like 2026-03-02T10:00:00Z")
	}
	return parsed
}

func flag(set bool) string {
	if set {
		return "true"
	}
	return ""
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// Of the sessions that are signed to their end, those that the request's status has no
// room for: no segment of theirs is ever signed again.
const keySigned = "signed"

// maxSigned bounds them, at 65 bytes each; the oldest go first.
const maxSigned = 8000

// Retire notes sessions that are signed to their end, and says whether any is new.
func Retire(config *corev1.ConfigMap, sessions ...string) bool {
	known := strings.Fields(config.Data[keySigned])
	before := len(known)
	for _, session := range sessions {
		if !slices.Contains(known, session) {
			known = append(known, session)
		}
	}
	if len(known) == before {
		return false
	}
	if config.Data == nil {
		config.Data = map[string]string{}
	}
	config.Data[keySigned] = strings.Join(known[max(0, len(known)-maxSigned):], "\n")
	return true
}

// Retired says whether a session is among them.
func Retired(config *corev1.ConfigMap, session string) bool {
	return slices.Contains(strings.Fields(config.Data[keySigned]), session)
}
