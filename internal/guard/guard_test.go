package guard

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/sallyport/sallyport/config/admission"
	"github.com/sallyport/sallyport/internal/apitest"
)

func TestMain(m *testing.M) { os.Exit(apitest.Main(m)) }

const keep = 10 * time.Second

var (
	installing sync.Once
	errInstall error
)

// installed is an API server with the policies as kustomize installs them. Tests that
// change one put it back, and do not run in parallel.
func installed(t *testing.T) client.Client {
	t.Helper()
	server := apitest.Start(t)
	installing.Do(func() {
		rendered, err := server.Render("config", "admission")
		errInstall = err
		for _, object := range rendered {
			errInstall = errors.Join(errInstall, server.Client.Create(context.Background(), object))
		}
	})
	if errInstall != nil {
		t.Fatal(errInstall)
	}
	return server.Client
}

func newGuard(t *testing.T, reader client.Reader, now func() time.Time) *Guard {
	t.Helper()
	guard, err := New(reader, now, keep)
	if err != nil {
		t.Fatal(err)
	}
	return guard
}

func differences(t *testing.T, guard *Guard) []string {
	t.Helper()
	found, err := guard.Differences(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// intercepted is a reader of the installed policies, with an answer of the test's own
// for some.
func intercepted(t *testing.T, get func(wanted client.Object) error) client.Reader {
	t.Helper()
	installed(t)
	server := apitest.Start(t)
	inner, err := client.NewWithWatch(server.Config, client.Options{Scheme: server.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	return interceptor.NewClient(inner, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
			if err := get(object); err != nil {
				return err
			}
			return c.Get(ctx, key, object, opts...)
		},
	})
}

// change changes an installed object until the test ends.
func change(t *testing.T, admin client.Client, object *unstructured.Unstructured, by func(map[string]any) error) {
	t.Helper()
	current := object.DeepCopy()
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(object), current); err != nil {
		t.Fatal(err)
	}
	changed := current.DeepCopy()
	if err := by(changed.Object); err != nil {
		t.Fatal(err)
	}
	if err := admin.Update(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		current.SetResourceVersion(changed.GetResourceVersion())
		if err := admin.Update(context.Background(), current); err != nil {
			t.Error(err)
		}
	})
}

// ofKind is the first object of a kind that the manager wants.
func ofKind(t *testing.T, kind string) *unstructured.Unstructured {
	t.Helper()
	wanted, err := admission.Objects()
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range wanted {
		if object.GetKind() == kind {
			return object
		}
	}
	t.Fatalf("no object of kind %s", kind)
	return nil
}

func TestREV6_PoliciesAsInstalledDifferInNothing(t *testing.T) {
	if found := differences(t, newGuard(t, installed(t), time.Now)); len(found) != 0 {
		t.Errorf("differences:\n%s", strings.Join(found, "\n"))
	}
}

func TestREV6_ARemovedObjectIsSeen(t *testing.T) {
	admin := installed(t)
	for _, kind := range []string{"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"} {
		t.Run(kind, func(t *testing.T) {
			wanted := ofKind(t, kind)
			if err := admin.Delete(t.Context(), wanted.DeepCopy()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := admin.Create(context.Background(), wanted.DeepCopy()); err != nil {
					t.Error(err)
				}
			})
			expect(t, newGuard(t, admin, time.Now), kind+" "+wanted.GetName()+" is not installed")
		})
	}
}

func TestREV6_AWeakenedObjectIsSeen(t *testing.T) {
	admin := installed(t)
	for kind, test := range map[string]struct {
		path  []string
		value any
		want  string
	}{
		"ValidatingAdmissionPolicy":        {[]string{"spec", "failurePolicy"}, "Ignore", "failurePolicy was changed"},
		"ValidatingAdmissionPolicyBinding": {[]string{"spec", "validationActions"}, []any{"Audit"}, "validationActions[0] was changed"},
		// A cluster may be without the stamp, but not with another's.
		"MutatingAdmissionPolicy": {[]string{"spec", "failurePolicy"}, "Ignore", "failurePolicy was changed"},
	} {
		t.Run(kind, func(t *testing.T) {
			change(t, admin, ofKind(t, kind), func(object map[string]any) error {
				return unstructured.SetNestedField(object, test.value, test.path...)
			})
			expect(t, newGuard(t, admin, time.Now), test.want)
		})
	}
}

func expect(t *testing.T, guard *Guard, want string) {
	t.Helper()
	found := differences(t, guard)
	if len(found) != 1 || !strings.Contains(found[0], want) {
		t.Errorf("differences %q, want one that says %q", found, want)
	}
}

func TestREV6_AClusterWithoutTheMutatingKindsPasses(t *testing.T) {
	for name, absent := range map[string]func(schema.GroupVersionKind) error{
		"the kind is not known": func(kind schema.GroupVersionKind) error {
			return &meta.NoKindMatchError{GroupKind: kind.GroupKind(), SearchedVersions: []string{kind.Version}}
		},
		"the overlay without it is installed": func(kind schema.GroupVersionKind) error {
			return apierrors.NewNotFound(schema.GroupResource{Group: kind.Group, Resource: kind.Kind}, "sallyport-requester")
		},
	} {
		t.Run(name, func(t *testing.T) {
			reader := intercepted(t, func(wanted client.Object) error {
				if kind := wanted.GetObjectKind().GroupVersionKind(); admission.MutatingKinds[kind.Kind] {
					return absent(kind)
				}
				return nil
			})
			if found := differences(t, newGuard(t, reader, time.Now)); len(found) != 0 {
				t.Errorf("differences %q", found)
			}
		})
	}
}

// "I do not know" must not read as "all is well".
func TestREV4_ALookUpThatFailsIsAnErrorAndIsAskedAgain(t *testing.T) {
	for name, failure := range map[string]error{
		"nobody answers":        errors.New("connection refused"),
		"the kind is not known": &meta.NoKindMatchError{GroupKind: schema.GroupKind{Kind: "ValidatingAdmissionPolicyBinding"}},
		"it may not be read":    apierrors.NewForbidden(schema.GroupResource{}, "", nil),
	} {
		t.Run(name, func(t *testing.T) {
			failing := true
			reader := intercepted(t, func(wanted client.Object) error {
				if failing && wanted.GetObjectKind().GroupVersionKind().Kind == "ValidatingAdmissionPolicyBinding" {
					return failure
				}
				return nil
			})
			guard := newGuard(t, reader, time.Now)
			if found, err := guard.Differences(t.Context()); !errors.Is(err, failure) || found != nil {
				t.Errorf("answer %q and error %v, want the error alone", found, err)
			}
			failing = false
			if found := differences(t, guard); len(found) != 0 {
				t.Errorf("differences %q", found)
			}
		})
	}
}

func TestAnAnswerIsRememberedForAMomentAndNoLonger(t *testing.T) {
	now, looks := time.Now(), 0
	reader := intercepted(t, func(client.Object) error { looks++; return nil })
	guard := newGuard(t, reader, func() time.Time { return now })
	differences(t, guard)
	once := looks
	now = now.Add(keep - time.Nanosecond)
	differences(t, guard)
	if once == 0 || looks != once {
		t.Errorf("%d look-ups, then %d within the moment", once, looks-once)
	}
	now = now.Add(time.Nanosecond)
	differences(t, guard)
	if looks != 2*once {
		t.Errorf("%d look-ups after the moment, want %d", looks-once, once)
	}
}
