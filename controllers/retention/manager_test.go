package retention

import (
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/ledger"
)

// startManager runs the reconciler as the manager does: its cache sees the proxies'
// namespace alone of what a namespace can hold.
func (w *world) startManager(server *apitest.Server) {
	w.t.Helper()
	inProxies := cache.ByObject{Namespaces: map[string]cache.Config{v1alpha1.ProxyNamespace: {}}}
	mgr, err := ctrl.NewManager(server.Config, ctrl.Options{
		Scheme: server.Scheme, Metrics: metricsserver.Options{BindAddress: "0"},
		Cache: cache.Options{ByObject: map[client.Object]cache.ByObject{&corev1.ConfigMap{}: inProxies, &corev1.Pod{}: inProxies}},
	})
	w.must(err)
	r := &Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Buckets: w.archive, Events: mgr.GetEventRecorder("retention"),
		Now: time.Now, Log: testr.New(w.t), Settings: w.r.Settings,
	}
	w.must(r.SetupWithManager(mgr))
	apitest.RunManager(w.t, mgr)
}

// TestTheManagerFollowsHoldsAndRemovals is not parallel with the tests that reconcile by
// hand: the manager works on every entry.
func TestTheManagerFollowsHoldsAndRemovals(t *testing.T) {
	g := gomega.NewWithT(t)
	kept := newWorld(t, func(entry *ledger.Entry) {
		*entry = ledger.Entry{UID: entry.UID, Namespace: entry.Namespace, Request: entry.Request, Policy: entry.Policy, Store: v1alpha1.StoreVolume, OpenedAt: entry.OpenedAt}
	})
	gone := newWorld(t, func(entry *ledger.Entry) { entry.Store = "archive" }) // its time has long been over
	server := apitest.Start(t)
	kept.archive = gone.archive
	kept.startManager(server)

	kept.annotate(new("audit"))
	g.Eventually(func() string { return kept.entry().RequestHold }, "10s", "20ms").Should(gomega.Equal("audit"))
	kept.annotate(nil)
	g.Eventually(func() string { return kept.entry().RequestHold }, "10s", "20ms").Should(gomega.BeEmpty())
	g.Eventually(func() bool { return gone.entry().RemovedAt.IsZero() }, "10s", "20ms").Should(gomega.BeFalse())
	g.Eventually(func() bool {
		list := &eventsv1.EventList{}
		gone.must(gone.admin.List(t.Context(), list, client.InNamespace(v1alpha1.ProxyNamespace)))
		for _, event := range list.Items {
			if event.Reason == "Removed" && event.Regarding.Name == gone.key().Name {
				return true
			}
		}
		return false
	}, "10s", "50ms").Should(gomega.BeTrue())
}
