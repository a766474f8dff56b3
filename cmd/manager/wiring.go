package main

import (
	"context"
	"fmt"
	"net"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/controllers/accesspolicy"
	"github.com/sallyport/sallyport/controllers/accesstarget"
	"github.com/sallyport/sallyport/controllers/approvalreview"
	"github.com/sallyport/sallyport/controllers/bootstrap"
	"github.com/sallyport/sallyport/controllers/sweep"
	"github.com/sallyport/sallyport/controllers/taskaccessrequest"
	controlserver "github.com/sallyport/sallyport/internal/control/server"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/guard"
	"github.com/sallyport/sallyport/internal/keys"
	"github.com/sallyport/sallyport/internal/target"
)

// wiring is what the manager's parts are made of.
type wiring struct {
	options   options
	clients   kubernetes.Interface
	dynamic   dynamic.Interface
	root      *keys.Root
	addresses bootstrap.Addresses
	issuers   credential.Issuers
}

// guardMemory is how long an answer about the admission policies is believed.
const guardMemory = 5 * time.Second

func wire(ctx context.Context, mgr ctrl.Manager, w wiring) error {
	if err := taskaccessrequest.SetupIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	own, err := w.addresses.Prefixes()
	if err != nil {
		return err
	}
	targets := &target.Resolver{Secrets: mgr.GetClient(), Lookup: net.DefaultResolver, Own: own}
	admission, err := guard.New(mgr.GetAPIReader(), time.Now, guardMemory)
	if err != nil {
		return err
	}
	where := newStorage(mgr)
	if err := controllers(mgr, w, targets, where, admission); err != nil {
		return err
	}
	provider := &taskaccessrequest.Provider{
		Client: mgr.GetClient(), Uncached: mgr.GetAPIReader(), Targets: targets, Issuers: w.issuers, HostKeys: w.root, Now: time.Now,
		RecordingKey: w.root.RecordingKey(), Stores: where, Presign: where.buckets,
	}
	if err := provider.Watch(ctx, mgr.GetCache()); err != nil {
		return err
	}
	told, certifier, err := tell(mgr, w, provider)
	if err != nil {
		return err
	}
	channel, err := controlserver.New(controlserver.Options{
		Address: w.options.controlListen, Keys: w.root, Reviews: w.clients.AuthenticationV1().TokenReviews(),
		Resolver: provider, Provider: told, Sealer: provider, Certifier: certifier, Log: mgr.GetLogger().WithName("control"), Now: time.Now,
	})
	if err != nil {
		return err
	}
	for _, runnable := range []interface{ Start(context.Context) error }{
		channel,
		&sweep.Sweeper{
			Client: mgr.GetClient(), Uncached: mgr.GetAPIReader(), Targets: targets, Issuers: w.issuers,
			Interval: w.options.sweepInterval, Timeout: 20 * time.Second, Log: mgr.GetLogger().WithName("sweep"),
		},
		&bootstrap.Reader{
			Clients: w.clients, Dynamic: w.dynamic, Keys: w.root, Now: time.Now, Log: mgr.GetLogger().WithName("reader"),
		},
	} {
		if err := mgr.Add(runnable); err != nil {
			return err
		}
	}
	return health(mgr)
}

func controllers(mgr ctrl.Manager, w wiring, targets *target.Resolver, where storage, admission *guard.Guard) error {
	identities, err := w.options.identities()
	if err != nil {
		return err
	}
	settings, err := w.settings()
	if err != nil {
		return err
	}
	requests := &taskaccessrequest.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Targets: targets, Stores: where, Issuers: w.issuers, HostKeys: w.root, Guard: admission,
		Events: mgr.GetEventRecorder("taskaccessrequest"), Now: time.Now, MaxOpenPerPerson: w.options.maxOpenPerPerson,
		Settings: settings,
	}
	if err := requests.SetupWithManager(mgr, w.options.workers); err != nil {
		return fmt.Errorf("taskaccessrequest: %w", err)
	}
	reviews := &approvalreview.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Authoriser: approvalreview.AccessReviews{Client: mgr.GetClient()},
		Identities: identities, Events: mgr.GetEventRecorder("approvalreview"), Now: time.Now,
	}
	if err := reviews.SetupWithManager(mgr); err != nil {
		return err
	}
	policies := &accesspolicy.Reconciler{Client: mgr.GetClient(), Stores: where, Events: mgr.GetEventRecorder("accesspolicy"), Now: time.Now}
	if err := policies.SetupWithManager(mgr); err != nil {
		return err
	}
	endpoints := &accesstarget.Reconciler{
		Client: mgr.GetClient(), Targets: targets, Issuers: w.issuers,
		Events: mgr.GetEventRecorder("accesstarget"), Now: time.Now,
	}
	if err := endpoints.SetupWithManager(mgr); err != nil {
		return err
	}
	return retain(mgr, settings, where)
}

// proxyObjects confines the cache to the proxies' namespace for every kind that a
// task is made of; the manager may read them nowhere else.
func proxyObjects(inProxies cache.ByObject, others map[client.Object]cache.ByObject) map[client.Object]cache.ByObject {
	for _, object := range []client.Object{
		&corev1.Pod{}, &corev1.Service{}, &corev1.ServiceAccount{}, &corev1.ConfigMap{},
		&networkingv1.NetworkPolicy{}, &rbacv1.Role{}, &rbacv1.RoleBinding{},
	} {
		others[object] = inProxies
	}
	return others
}
