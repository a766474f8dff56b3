// Command reader serves recordings through the API server, read-only. Flags and wiring
// only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/audit"
	"github.com/sallyport/sallyport/internal/reader"
	"github.com/sallyport/sallyport/internal/record/store/volume"
	"github.com/sallyport/sallyport/internal/stores"
)

type options struct {
	listen, healthListen, tlsDirectory, recordings, keys string
	audit                                                audit.Flags
}

func main() {
	var o options
	flag.StringVar(&o.listen, "listen", ":8443", "address for the API server's requests")
	flag.StringVar(&o.healthListen, "health-listen", ":8081", "address for the kubelet's probes")
	flag.StringVar(&o.tlsDirectory, "tls-dir", "/var/run/sallyport-tls", "directory with tls.crt and tls.key")
	flag.StringVar(&o.recordings, "recording-dir", "/recordings", "directory with the recordings, one folder a request")
	flag.StringVar(&o.keys, "keys-dir", "/var/run/sallyport-recording-keys", "directory with the public keys of recordings, one PEM a file")
	o.audit.Bind(flag.CommandLine)
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.UseDevMode(false)))
	if err := run(ctrl.SetupSignalHandler(), o); err != nil {
		ctrl.Log.Error(err, "reader stopped")
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	utilruntime.Must(corev1.AddToScheme(scheme))
	// Uncached: what may be read, and where it is, is asked anew each time.
	objects, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	tasks, err := volume.OpenTasks(o.recordings)
	if err != nil {
		return err
	}
	defer func() { _ = tasks.Close() }()
	callers, err := reader.NewRequestHeader(clients)
	if err != nil {
		return err
	}
	buckets := &stores.Buckets{Directory: stores.Directory{ConfigMaps: objects, Secrets: objects, Reading: true}, Now: time.Now}
	trail, err := openAudit(&o.audit, o.tlsDirectory)
	if err != nil {
		return err
	}
	server := &reader.Server{
		Handler: reader.New(reader.Handler{
			Authenticate: callers,
			Access:       clients.AuthorizationV1().SubjectAccessReviews(),
			Request:      request(objects),
			Known:        known(objects),
			Recordings:   openStores(tasks, buckets).Open,
			Keys:         func() ([]string, error) { return reader.PublishedKeys(o.keys) },
			Audit:        trail,
			Now:          time.Now,
			Log:          ctrl.Log.WithName("reader"),
		}),
		Certificate: &reader.Certificate{Directory: o.tlsDirectory, Now: time.Now},
		Ready:       callers.Ready,
	}
	return serve(ctx, o, server, callers, trail)
}

func serve(ctx context.Context, o options, server *reader.Server, callers *reader.RequestHeader, trail *audit.Stream) error {
	var listen net.ListenConfig
	api, err := listen.Listen(ctx, "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("listen for the API server: %w", err)
	}
	health, err := listen.Listen(ctx, "tcp", o.healthListen)
	if err != nil {
		return errors.Join(fmt.Errorf("listen for the kubelet: %w", err), api.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	following.Go(func() { callers.Run(ctx) })
	// The last reads are told after the server has stopped.
	telling, stop := context.WithCancel(context.WithoutCancel(ctx))
	told := make(chan error, 1)
	following.Go(func() { told <- trail.Start(telling) })
	err = server.Serve(ctx, api, health)
	cancel()
	stop()
	following.Wait()
	return errors.Join(err, <-told)
}
