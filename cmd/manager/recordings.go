package main

import (
	"context"
	"fmt"
	"net"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/sallyport/sallyport/controllers/retention"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/manifest"
	"github.com/sallyport/sallyport/internal/stores"
)

// storage is where recordings are kept: the buckets' configuration, their addresses,
// and their credentials, which are read by name, past the cache.
type storage struct {
	stores.Registry
	buckets *stores.Buckets
}

// Check says whether a bucket can be used.
func (s storage) Check(ctx context.Context, bucket *stores.Bucket) error {
	return s.buckets.Check(ctx, bucket)
}

func newStorage(mgr ctrl.Manager) storage {
	registry := stores.Registry{
		Directory: stores.Directory{ConfigMaps: mgr.GetClient(), Secrets: mgr.GetAPIReader()},
		Addresses: &stores.Addresses{Lookup: net.DefaultResolver, Now: time.Now},
	}
	return storage{registry, &stores.Buckets{Directory: registry.Directory, Now: time.Now}}
}

// settings are the operator's for every pod that it starts.
func (w wiring) settings() (manifest.Settings, error) {
	quota, err := w.options.quotaBytes()
	return manifest.Settings{
		Image: w.options.proxyImage, Claim: w.options.claim, Quota: quota,
		ControlAddress: w.addresses.Control, ControlServerName: control.ServerName, ControlCA: string(w.root.CA()),
		APIServerAddress: w.addresses.APIServer,
	}, err
}

func retain(mgr ctrl.Manager, settings manifest.Settings, where storage) error {
	ledger := &retention.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(),
		Buckets:  retention.Opened{Directory: where.Directory, Buckets: where.buckets},
		Settings: settings, Events: mgr.GetEventRecorder("retention"), Now: time.Now, Log: mgr.GetLogger().WithName("retention"),
	}
	if err := ledger.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("retention: %w", err)
	}
	return nil
}
