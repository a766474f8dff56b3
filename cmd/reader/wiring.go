package main

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/ledger"
	"github.com/sallyport/sallyport/internal/reader"
	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/volume"
	"github.com/sallyport/sallyport/internal/stores"
)

// request finds the request that a name stands for now.
func request(c client.Reader) func(context.Context, string, string) (reader.Request, error) {
	return func(ctx context.Context, namespace, name string) (reader.Request, error) {
		var request v1alpha1.TaskAccessRequest
		if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &request); err != nil {
			return reader.Request{}, err
		}
		found := reader.Request{UID: string(request.UID), Namespace: namespace, Name: name}
		if recording := request.Status.Recording; recording != nil {
			found.Store = recording.Store
		}
		return found, nil
	}
}

// known finds what the manager has written down of a request.
func known(c client.Reader) func(context.Context, string) (reader.Request, error) {
	return func(ctx context.Context, uid string) (reader.Request, error) {
		var entry corev1.ConfigMap
		if err := c.Get(ctx, client.ObjectKey{Namespace: v1alpha1.ProxyNamespace, Name: ledger.Name(uid)}, &entry); err != nil {
			return reader.Request{}, err
		}
		// Who wrote a hold into it wrongly has not made its recordings unreadable.
		parsed, err := ledger.Parse(&entry)
		if err != nil && (parsed.UID != uid || parsed.Store == "") {
			return reader.Request{}, err
		}
		return reader.Request{
			UID: parsed.UID, Namespace: parsed.Namespace, Name: parsed.Request, Store: parsed.Store, Removed: parsed.RemovedAt,
		}, nil
	}
}

// openStores reads the volume, and whatever buckets are configured when they are asked for.
func openStores(tasks *volume.Tasks, buckets *stores.Buckets) *reader.Stores {
	return &reader.Stores{
		Volume: func(uid string) (reader.Task, error) { return tasks.Task(uid) },
		Buckets: func(ctx context.Context) ([]string, error) {
			names, err := buckets.Directory.Names(ctx)
			return slices.DeleteFunc(names, func(name string) bool { return name == v1alpha1.StoreVolume }), err
		},
		Bucket: func(ctx context.Context, name, uid string) (store.Reader, error) {
			config, err := buckets.Directory.Find(ctx, name)
			if err != nil {
				return nil, err
			}
			return buckets.Task(ctx, config, uid)
		},
	}
}
