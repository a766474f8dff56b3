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

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/reader"
	"github.com/sallyport/sallyport/internal/record/store/legacy/volume"
)

type options struct {
	listen, healthListen, tlsDirectory, recordings string
}

func main() {
	var o options
	flag.StringVar(&o.listen, "listen", ":8443", "address for the API server's requests")
	flag.StringVar(&o.healthListen, "health-listen", ":8081", "address for the kubelet's probes")
	flag.StringVar(&o.tlsDirectory, "tls-dir", "/var/run/sallyport-tls", "directory with tls.crt and tls.key")
	flag.StringVar(&o.recordings, "recording-dir", "/recordings", "directory with the recordings, one folder a request")
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
	requests, err := client.New(config, client.Options{Scheme: scheme})
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
	server := &reader.Server{
		Handler: reader.New(reader.Handler{
			Authenticate: callers,
			Access:       clients.AuthorizationV1().SubjectAccessReviews(),
			RequestUID:   requestUID(requests),
			Recordings:   recordings(tasks),
			Log:          ctrl.Log.WithName("reader"),
		}),
		Certificate: &reader.Certificate{Directory: o.tlsDirectory, Now: time.Now},
		Ready:       callers.Ready,
	}
	return serve(ctx, o, server, callers)
}

func serve(ctx context.Context, o options, server *reader.Server, callers *reader.RequestHeader) error {
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
	err = server.Serve(ctx, api, health)
	cancel()
	following.Wait()
	return err
}

func requestUID(requests client.Reader) func(context.Context, string, string) (string, error) {
	return func(ctx context.Context, namespace, name string) (string, error) {
		var request v1alpha1.TaskAccessRequest
		if err := requests.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &request); err != nil {
			return "", err
		}
		return string(request.UID), nil
	}
}

func recordings(tasks *volume.Tasks) func(string) (reader.Recordings, error) {
	return func(uid string) (reader.Recordings, error) {
		task, err := tasks.Task(uid)
		if err != nil {
			return nil, err
		}
		return task, nil
	}
}
