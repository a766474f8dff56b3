// Command manager is the operator: controllers on the leader, and the control channel
// to the proxies on every replica. Flags and wiring only.
package main

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"go.uber.org/zap/zapcore"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/bootstrap"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/credential/postgres"
	"github.com/sallyport/sallyport/internal/credential/ssh"
	"github.com/sallyport/sallyport/internal/credential/static"
	"github.com/sallyport/sallyport/internal/keys"
)

func main() {
	var o options
	o.bind(flag.CommandLine)
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.UseDevMode(false), func(z *zap.Options) { z.TimeEncoder = zapcore.RFC3339NanoTimeEncoder }))
	if err := run(ctrl.SetupSignalHandler(), o); err != nil {
		ctrl.Log.Error(err, "manager stopped")
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if err := o.check(); err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	// A task's life is some thirty calls, and a person waits at each step.
	config.QPS, config.Burst = 200, 400
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	root, err := bootstrap.RootKeys(ctx, clients, time.Now())
	if err != nil {
		return err
	}
	addresses, err := bootstrap.FindAddresses(ctx, clients)
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	mgr, err := ctrl.NewManager(config, managerOptions(scheme, o))
	if err != nil {
		return err
	}
	dynamicClient, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	issuers, err := newIssuers(root)
	if err != nil {
		return err
	}
	if err := wire(ctx, mgr, wiring{
		options: o, clients: clients, dynamic: dynamicClient, root: root, addresses: addresses, issuers: issuers,
	}); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

func managerOptions(scheme *runtime.Scheme, o options) ctrl.Options {
	renew, retry := o.lossOfLease*2/3, o.lossOfLease/7
	inProxies := cache.ByObject{Namespaces: map[string]cache.Config{v1alpha1.ProxyNamespace: {}}}
	return ctrl.Options{
		Scheme:                  scheme,
		Metrics:                 server.Options{BindAddress: o.metricsListen},
		HealthProbeBindAddress:  o.healthListen,
		LeaderElection:          o.leaderElect,
		LeaderElectionID:        "sallyport-manager",
		LeaderElectionNamespace: v1alpha1.OperatorNamespace,
		LeaseDuration:           &o.lossOfLease, RenewDeadline: &renew, RetryPeriod: &retry,
		// The lease is given back when the work has stopped, so that the next leader
		// need not wait for it to run out.
		LeaderElectionReleaseOnCancel: true,
		Cache: cache.Options{ByObject: proxyObjects(inProxies, map[client.Object]cache.ByObject{
			&corev1.Secret{}: {Namespaces: map[string]cache.Config{v1alpha1.TargetNamespace: {}}},
		})},
	}
}

// newIssuers lists how credentials come to be: one line a kind.
func newIssuers(root *keys.Root) (credential.Issuers, error) {
	installation, err := root.Derive("installation")
	if err != nil {
		return nil, err
	}
	master, err := root.Derive("postgres passwords")
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	roles, err := postgres.New(postgres.Options{
		Installation: hex.EncodeToString(installation[:4]), MasterKey: master, Now: time.Now, Dial: dialer.DialContext,
	})
	if err != nil {
		return nil, fmt.Errorf("postgres issuer: %w", err)
	}
	authorities, err := root.Derive("ssh authorities")
	if err != nil {
		return nil, err
	}
	certificates, err := ssh.New(ssh.Options{
		Installation: hex.EncodeToString(installation[:4]), Master: authorities, Now: time.Now, Dial: dialer.DialContext,
	})
	if err != nil {
		return nil, fmt.Errorf("ssh issuer: %w", err)
	}
	return credential.Issuers{
		{Protocol: v1alpha1.ProtocolPostgres, Type: v1alpha1.CredentialEphemeralRole}: roles,
		{Protocol: v1alpha1.ProtocolPostgres, Type: v1alpha1.CredentialStatic}:        static.New(time.Now, roles),
		{Protocol: v1alpha1.ProtocolSSH, Type: v1alpha1.CredentialCertificate}:        certificates,
		{Protocol: v1alpha1.ProtocolSSH, Type: v1alpha1.CredentialStatic}:             static.New(time.Now, certificates),
	}, nil
}

// health is what the kubelet asks: alive, and ready once the cache is.
func health(mgr ctrl.Manager) error {
	if err := mgr.AddHealthzCheck("alive", healthz.Ping); err != nil {
		return err
	}
	return mgr.AddReadyzCheck("cache", func(request *http.Request) error {
		ctx, cancel := context.WithTimeout(request.Context(), time.Second)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("the cache is not filled yet")
		}
		return nil
	})
}
