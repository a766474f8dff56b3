package digest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

func TestREV2_ADigestSurvivesTheWireAndReorderedKeys(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		policy := &v1alpha1.AccessPolicy{Spec: rapid.Make[v1alpha1.AccessPolicySpec]().Draw(t, "spec")}
		policy.UID = "u"

		// A map is encoded in another order of keys than the struct.
		encoded, err := json.Marshal(policy.Spec)
		if err != nil {
			t.Fatal(err)
		}
		var tree map[string]any
		decoder := json.NewDecoder(bytes.NewReader(encoded))
		decoder.UseNumber()
		if err := decoder.Decode(&tree); err != nil {
			t.Fatal(err)
		}
		reordered, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		again := &v1alpha1.AccessPolicy{ObjectMeta: metav1.ObjectMeta{UID: "u"}}
		if err := json.Unmarshal(reordered, &again.Spec); err != nil {
			t.Fatal(err)
		}
		if a, b := Policy(policy), Policy(again); a != b {
			t.Fatalf("digest %s became %s over the wire", a, b)
		}
	})
}

func TestREV2_EveryObjectHasADigest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		request := &v1alpha1.TaskAccessRequest{Spec: rapid.Make[v1alpha1.TaskAccessRequestSpec]().Draw(t, "request")}
		policy := &v1alpha1.AccessPolicy{Spec: rapid.Make[v1alpha1.AccessPolicySpec]().Draw(t, "policy")}
		target := &v1alpha1.AccessTarget{Spec: rapid.Make[v1alpha1.AccessTargetSpec]().Draw(t, "target")}
		for _, d := range []string{Request(request), Policy(policy), Target(target)} {
			if !strings.HasPrefix(d, version) || len(d) != len(version)+64 {
				t.Fatalf("not a digest: %q", d)
			}
		}
	})
}

func TestREV2_EveryFieldOfTheSpecChangesTheDigest(t *testing.T) {
	t.Parallel()
	request, policy, target := &v1alpha1.TaskAccessRequest{}, &v1alpha1.AccessPolicy{}, &v1alpha1.AccessTarget{}
	everyLeafMatters(t, &request.Spec, func() string { return Request(request) }, "State")
	everyLeafMatters(t, &policy.Spec, func() string { return Policy(policy) })
	everyLeafMatters(t, &target.Spec, func() string { return Target(target) })
}

func TestREV2_StateMetadataAndStatusDoNotVoidAnApproval(t *testing.T) {
	t.Parallel()
	request := &v1alpha1.TaskAccessRequest{}
	fill(reflect.ValueOf(&request.Spec).Elem())
	request.UID = "u"
	before := BindRequest(request)
	request.Spec.State = v1alpha1.StateClosed
	request.Generation, request.ResourceVersion = 7, "9"
	request.Labels = map[string]string{"a": "b"}
	request.Finalizers = []string{v1alpha1.Finalizer}
	fill(reflect.ValueOf(&request.Status).Elem())
	if after := BindRequest(request); !Holds(before, after) {
		t.Fatalf("%v became %v", before, after)
	}
}

func TestREV2_ARecreatedObjectOfTheSameNameIsAnother(t *testing.T) {
	t.Parallel()
	a := &v1alpha1.AccessPolicy{ObjectMeta: metav1.ObjectMeta{Name: "orders-fix", UID: "1"}}
	b := &v1alpha1.AccessPolicy{ObjectMeta: metav1.ObjectMeta{Name: "orders-fix", UID: "2"}}
	if Holds(BindPolicy(a), BindPolicy(b)) {
		t.Fatal("an approval covers a policy that was made anew")
	}
	target := &v1alpha1.AccessTarget{ObjectMeta: metav1.ObjectMeta{UID: "1"}}
	if Policy(a) == Target(target) {
		t.Fatal("a target has the digest of a policy")
	}
}

func TestREV2_ADefaultedZeroFieldOfALaterVersionVoidsNothing(t *testing.T) {
	t.Parallel()
	now := map[string]any{"spec": map[string]any{"rules": []any{map[string]any{"name": "r"}}}}
	later := map[string]any{"spec": map[string]any{
		"masking": map[string]any{"columns": []any{}, "strict": false, "keep": 0, "nested": map[string]any{"how": ""}},
		"rules":   []any{map[string]any{"name": "r", "message": ""}},
		"note":    nil,
	}}
	a, errA := canonicalJSON(now)
	b, errB := canonicalJSON(later)
	if errA != nil || errB != nil || string(a) != string(b) {
		t.Fatalf("%s (%v) is not %s (%v)", a, errA, b, errB)
	}
}

func TestREV2_AnEmptyDigestCoversNothing(t *testing.T) {
	t.Parallel()
	nothing := v1alpha1.Bound{Name: "a", UID: "1"}
	if Holds(nothing, nothing) {
		t.Fatal("two empty digests count as an approval")
	}
}

// TestTheDigestOfAKnownObjectNeverChanges guards stored approvals against a change of
// the algorithm under the same version.
func TestTheDigestOfAKnownObjectNeverChanges(t *testing.T) {
	t.Parallel()
	target := &v1alpha1.AccessTarget{ObjectMeta: metav1.ObjectMeta{UID: types.UID("0a1b2c3d-0000-4000-8000-000000000001")}}
	target.Spec.Postgres = &v1alpha1.PostgresTarget{
		Host: "orders.example.com", Port: 5432, Databases: []string{"orders", "<&>"},
		TLS:        v1alpha1.PostgresTLS{Mode: v1alpha1.PostgresTLSVerifyFull},
		Credential: v1alpha1.CredentialEphemeralRole,
	}
	const want = "v1:sha256:8cb2f76386f3f51dda933d5e477702619780480159aed098e14c99f2c02c30ed"
	if got := Target(target); got != want {
		t.Fatalf("digest is %s, was %s", got, want)
	}
}

func everyLeafMatters(t *testing.T, spec any, digest func() string, but ...string) {
	t.Helper()
	root := reflect.ValueOf(spec).Elem()
	fill(root)
	seen := map[string]string{digest(): "the whole"}
	visit(root, root.Type().Name(), func(path string, leaf reflect.Value) {
		for _, b := range but {
			if path == root.Type().Name()+"."+b {
				return
			}
		}
		old := reflect.New(leaf.Type()).Elem()
		old.Set(leaf)
		change(leaf)
		d := digest()
		// An object without fields is the same as none: zero fields are dropped.
		if other, ok := seen[d]; ok && !strings.HasPrefix("changing "+path, other+".") {
			t.Errorf("changing %s gives the digest of %s", path, other)
		}
		seen[d] = "changing " + path
		leaf.Set(old)
	})
	if len(seen) < 3 {
		t.Fatalf("only %d digests: the walk saw nothing", len(seen))
	}
}

// fill gives every field a value, every list two elements.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[metav1.Time]() {
			return
		}
		for _, field := range v.Fields() {
			fill(field)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i))
			if v.Index(i).Kind() == reflect.String {
				v.Index(i).SetString(fmt.Sprint("element", i))
			}
		}
	case reflect.String:
		v.SetString("value")
	case reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Bool:
		v.SetBool(true)
	}
}

// visit calls leaf for everything that can be changed alone.
func visit(v reflect.Value, path string, leaf func(string, reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		leaf(path, v)
		visit(v.Elem(), path, leaf)
	case reflect.Struct:
		for i := range v.NumField() {
			visit(v.Field(i), path+"."+v.Type().Field(i).Name, leaf)
		}
	case reflect.Slice:
		leaf(path, v)
		for i := range v.Len() {
			visit(v.Index(i), fmt.Sprintf("%s[%d]", path, i), leaf)
		}
	default:
		leaf(path, v)
	}
}

func change(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.SetZero()
	case reflect.Slice:
		v.Set(v.Slice(0, 1))
	case reflect.String:
		v.SetString("another")
	case reflect.Int32, reflect.Int64:
		v.SetInt(2)
	case reflect.Bool:
		v.SetBool(false)
	}
}
