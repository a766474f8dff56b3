// Package digest computes what an approval is bound to. It is pure: the same
// object always has the same digest, whatever the order of its keys and whichever
// of its zero fields are written out.
package digest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"k8s.io/apimachinery/pkg/types"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// version is in front of every digest, so that another way to compute them can be
// told from a changed object.
const version = "v1:sha256:"

// Request is the digest of a request: its spec but for state.
func Request(r *v1alpha1.TaskAccessRequest) string {
	spec := r.Spec
	spec.State = ""
	return of("TaskAccessRequest", r.UID, spec)
}

// Policy is the digest of a policy. That it lets sessions go on unrecorded is said by a
// false, which canonical JSON drops: it is named beside the spec.
func Policy(p *v1alpha1.AccessPolicy) string {
	required := p.Spec.Recording.Required
	return of("AccessPolicy", p.UID, struct {
		v1alpha1.AccessPolicySpec `json:",inline"`
		Unrecorded                bool `json:"unrecorded,omitempty"`
	}{p.Spec, required != nil && !*required})
}

// Target is the digest of a target.
func Target(t *v1alpha1.AccessTarget) string { return of("AccessTarget", t.UID, t.Spec) }

// BindRequest names a request as an approval is bound to it.
func BindRequest(r *v1alpha1.TaskAccessRequest) v1alpha1.Bound {
	return v1alpha1.Bound{Name: r.Name, UID: string(r.UID), Digest: Request(r)}
}

// BindPolicy names a policy as an approval is bound to it.
func BindPolicy(p *v1alpha1.AccessPolicy) v1alpha1.Bound {
	return v1alpha1.Bound{Name: p.Name, UID: string(p.UID), Digest: Policy(p)}
}

// BindTarget names a target as an approval is bound to it.
func BindTarget(t *v1alpha1.AccessTarget) v1alpha1.Bound {
	return v1alpha1.Bound{Name: t.Name, UID: string(t.UID), Digest: Target(t)}
}

// Holds says that an approval bound to want still covers an object that is now got.
// An empty digest covers nothing.
func Holds(want, got v1alpha1.Bound) bool {
	return want.Digest != "" && want == got
}

// of hashes kind, UID and spec in canonical JSON. An object that cannot be encoded
// has an empty digest, which Holds refuses; the test of this package proves that
// none of ours is such an object.
func of(kind string, uid types.UID, spec any) string {
	canonical, err := canonicalJSON(map[string]any{"kind": kind, "uid": string(uid), "spec": spec})
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(canonical)
	return version + hex.EncodeToString(sum[:])
}

// canonicalJSON is JSON with sorted keys, without zero fields at any depth, and
// without escapes that only HTML needs. Zero fields are dropped because an API
// server fills in the zero of a field that a later version adds, and that must not
// void an approval.
func canonicalJSON(v any) ([]byte, error) {
	encoded, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	// Maps are encoded with sorted keys.
	if err := encoder.Encode(withoutZeros(tree)); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// withoutZeros drops the zero fields of objects. Elements of lists stay, whatever
// they are: their number and order mean something.
func withoutZeros(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, field := range v {
			field = withoutZeros(field)
			if isZero(field) {
				delete(v, key)
				continue
			}
			v[key] = field
		}
	case []any:
		for i := range v {
			v[i] = withoutZeros(v[i])
		}
	}
	return v
}

func isZero(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case json.Number:
		return v == "0"
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}
