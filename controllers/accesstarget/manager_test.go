package accesstarget

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/credential/postgres"
	"github.com/sallyport/sallyport/internal/pgtest"
	"github.com/sallyport/sallyport/internal/target"
)

func TestMain(m *testing.M) { os.Exit(apitest.Main(m)) }

// everywhere is a resolver to which every name is at one address.
type everywhere netip.Addr

func (e everywhere) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.Addr(e)}, nil
}

// fixture is a manager that probes a real PostgreSQL, which stands on loopback and
// answers for 10.0.0.9.
type fixture struct {
	*apitest.Server
	*gomega.WithT
	postgres  *pgtest.Server
	namespace string
}

func start(t *testing.T) *fixture {
	t.Helper()
	server := apitest.Start(t)
	f := &fixture{
		Server: server, WithT: gomega.NewWithT(t), namespace: server.Namespace(t.Context(), t),
		postgres: pgtest.Start(t, pgtest.Options{ServerNames: []string{"db.example.com"}}),
	}
	err := f.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.TargetNamespace}})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	mgr, err := ctrl.NewManager(server.Config, ctrl.Options{
		Scheme: server.Scheme, Metrics: metricsserver.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: new(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	roles, err := postgres.New(postgres.Options{
		Installation: "0a1b2c3d", MasterKey: []byte(strings.Repeat("k", 32)), Now: time.Now,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if address != "10.0.0.9:5432" {
				t.Errorf("dialled %s", address)
			}
			return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(f.postgres.Host, strconv.Itoa(f.postgres.Port)))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &Reconciler{
		Client:  mgr.GetClient(),
		Targets: &target.Resolver{Secrets: mgr.GetClient(), Lookup: everywhere(netip.MustParseAddr("10.0.0.9"))},
		Issuers: credential.Issuers{{Protocol: v1alpha1.ProtocolPostgres, Type: v1alpha1.CredentialEphemeralRole}: roles},
		Events:  mgr.GetEventRecorder("accesstarget"), Now: time.Now,
	}
	if err := r.SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	apitest.RunManager(t, mgr)
	return f
}

func (f *fixture) create(t *testing.T, object client.Object) {
	t.Helper()
	if err := f.Client.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) target(name string) *v1alpha1.AccessTarget {
	return &v1alpha1.AccessTarget{
		ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: name},
		Spec: v1alpha1.AccessTargetSpec{Postgres: &v1alpha1.PostgresTarget{
			Host: "db.example.com", Port: 5432, Databases: []string{"postgres"}, Credential: v1alpha1.CredentialEphemeralRole,
			TLS: v1alpha1.PostgresTLS{Mode: v1alpha1.PostgresTLSVerifyFull, CABundle: string(f.postgres.CAPEM)},
		}},
	}
}

func (f *fixture) secret(target *v1alpha1.AccessTarget) *corev1.Secret {
	secret := secretNamed(v1alpha1.TargetNamespace, f.namespace+"."+target.Name)
	secret.Data = map[string][]byte{
		"host": []byte("db.example.com"), "port": []byte("5432"), "ca.crt": f.postgres.CAPEM,
		"username": []byte(f.postgres.Superuser), "password": []byte(f.postgres.Password),
	}
	return secret
}

func secretNamed(namespace, name string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

// state is the reason of a condition.
func (f *fixture) state(t *testing.T, target *v1alpha1.AccessTarget, condition string) func() string {
	return func() string {
		if err := f.Client.Get(t.Context(), client.ObjectKeyFromObject(target), target); err != nil {
			return err.Error()
		}
		found := meta.FindStatusCondition(target.Status.Conditions, condition)
		if found == nil {
			return ""
		}
		return found.Reason
	}
}

func TestATargetsStatusFollowsItsSecretAndItsServer(t *testing.T) {
	f := start(t)
	object := f.target("orders")
	f.create(t, object)
	ready := f.state(t, object, v1alpha1.ConditionReady)
	f.Eventually(ready, "10s", "20ms").Should(gomega.Equal(v1alpha1.ReasonNoSecret))

	secret := f.secret(object)
	f.create(t, secret)
	f.Eventually(ready, "10s", "20ms").Should(gomega.Equal(v1alpha1.ReasonReady))
	f.Expect(object.Status.Protocol).To(gomega.Equal("postgres"))
	f.Expect(object.Status.Addresses).To(gomega.Equal([]string{"10.0.0.9"}))
	f.Expect(object.Status.ServerVersion).NotTo(gomega.BeEmpty())
	f.Expect(object.Status.PublicGrants).To(gomega.ContainElement("TEMPORARY ON DATABASE postgres"))
	f.Expect(object.Finalizers).To(gomega.BeEmpty())

	secret.Data["password"] = []byte("wrong-s3cret")
	f.Expect(f.Client.Update(t.Context(), secret)).To(gomega.Succeed())
	f.Eventually(ready, "10s", "20ms").Should(gomega.Equal(reasonRefused))
	f.Expect(meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady).Message).NotTo(gomega.ContainSubstring("s3cret"))

	f.postgres.Stop()
	secret.Data["password"] = []byte(f.postgres.Password)
	f.Expect(f.Client.Update(t.Context(), secret)).To(gomega.Succeed())
	f.Eventually(ready, "10s", "20ms").Should(gomega.Equal(v1alpha1.ReasonUnreachable))
	// Nothing but time passes, and it is tried again.
	f.Expect(f.postgres.Start()).To(gomega.Succeed())
	f.Eventually(ready, "20s", "50ms").Should(gomega.Equal(v1alpha1.ReasonReady))

	secret.Data["host"] = []byte("other.example.com")
	f.Expect(f.Client.Update(t.Context(), secret)).To(gomega.Succeed())
	f.Eventually(ready, "10s", "20ms").Should(gomega.Equal(v1alpha1.ReasonMismatch))
}

func TestATargetStaysWhileRequestsAreOpenOnIt(t *testing.T) {
	f := start(t)
	object, bystander := f.target("orders"), f.target("bystander")
	f.create(t, object)
	f.create(t, bystander)
	request := &v1alpha1.TaskAccessRequest{
		ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "pay-1423"},
		Spec: v1alpha1.TaskAccessRequestSpec{
			Requester: v1alpha1.Requester{Username: "bob"}, Task: v1alpha1.Task{ID: "PAY-1423", Type: "read"},
			Target: "orders", Reason: "look", DurationSeconds: 600, State: v1alpha1.StateOpen,
		},
	}
	f.create(t, request)
	inUse := f.state(t, object, v1alpha1.ConditionInUse)
	f.Eventually(inUse, "10s", "20ms").Should(gomega.Equal(reasonOpenRequests))
	f.Expect(object.Finalizers).To(gomega.ContainElement(v1alpha1.Finalizer))

	f.Expect(f.Client.Delete(t.Context(), object)).To(gomega.Succeed())
	f.Eventually(func() string {
		_ = inUse()
		return meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionInUse).Message
	}, "10s", "20ms").Should(gomega.Equal("deletion waits until these requests are closed: pay-1423"))
	f.Eventually(func() []string {
		list := &eventsv1.EventList{}
		_ = f.Client.List(t.Context(), list, client.InNamespace(f.namespace))
		var actions []string
		for _, event := range list.Items {
			actions = append(actions, event.Action+"/"+event.Reason)
		}
		return actions
	}, "10s", "20ms").Should(gomega.ContainElement("Delete/" + reasonOpenRequests))

	request.Status.ClosedAt = new(metav1.Now())
	f.Expect(f.Client.Status().Update(t.Context(), request)).To(gomega.Succeed())
	f.Eventually(inUse, "10s", "20ms").Should(gomega.ContainSubstring("not found"))

	f.Expect(f.Client.Delete(t.Context(), bystander)).To(gomega.Succeed())
	f.Eventually(f.state(t, bystander, v1alpha1.ConditionReady), "10s", "20ms").Should(gomega.ContainSubstring("not found"))
}
