package stores

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Directory finds the stores that there are.
type Directory struct {
	// ConfigMaps may be a cache; Secrets are read one by one, by name: nobody may list
	// those of the proxies' namespace.
	ConfigMaps, Secrets client.Reader
	// Reading takes a store's second Secret, sallyport-store-<name>-reader, where there is
	// one: a login that may read alone.
	Reading bool
}

// readerSuffix ends the name of the Secret of who reads alone.
const readerSuffix = "-reader"

// UnknownError is a store that nobody has configured.
type UnknownError struct{ Name string }

func (e *UnknownError) Error() string {
	return fmt.Sprintf("there is no store %q: name another, or have whoever runs Sallyport add ConfigMap %s/%s",
		e.Name, v1alpha1.ProxyNamespace, ObjectName(e.Name))
}

// ConfigError is a store that somebody has to configure rightly: another try helps nobody.
type ConfigError struct{ message string }

func (e *ConfigError) Error() string { return e.message }

func misconfigured(format string, args ...any) error {
	return &ConfigError{fmt.Sprintf(format, args...)}
}

// Find reads a bucket's configuration. An *UnknownError says that there is none,
// a *ConfigError that it is wrong.
func (d Directory) Find(ctx context.Context, name string) (*Bucket, error) {
	if name == v1alpha1.StoreVolume {
		return nil, errors.New("the volume is no bucket")
	}
	if Name(ObjectName(name)) == "" {
		return nil, &UnknownError{name}
	}
	config := &corev1.ConfigMap{}
	err := d.ConfigMaps.Get(ctx, key(name), config)
	if apierrors.IsNotFound(err) {
		return nil, &UnknownError{name}
	}
	if err != nil {
		return nil, fmt.Errorf("read store %q: %w", name, err)
	}
	return Parse(name, config.Data)
}

// Names are all stores, the volume first. It lists ConfigMaps.
func (d Directory) Names(ctx context.Context) ([]string, error) {
	list := &corev1.ConfigMapList{}
	if err := d.ConfigMaps.List(ctx, list, client.InNamespace(v1alpha1.ProxyNamespace)); err != nil {
		return nil, fmt.Errorf("list stores: %w", err)
	}
	names := []string{}
	for _, config := range list.Items {
		if name := Name(config.Name); name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return append([]string{v1alpha1.StoreVolume}, names...), nil
}

// Credential reads a bucket's Secret; one with a workload identity has none.
func (d Directory) Credential(ctx context.Context, bucket *Bucket) (Credential, error) {
	if bucket.Workload {
		return Credential{}, nil
	}
	if d.Reading {
		secret := &corev1.Secret{}
		err := d.Secrets.Get(ctx, key(bucket.Name+readerSuffix), secret)
		if err == nil {
			return ParseCredential(bucket.Name+readerSuffix, secret.Data)
		}
		// Not given by name is not there, to one who may read Secrets by name only.
		if !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) {
			return Credential{}, fmt.Errorf("read the Secret of store %q: %w", bucket.Name, err)
		}
	}
	return d.shared(ctx, bucket)
}

// shared is the login of the manager, and of a reader that has none of its own.
func (d Directory) shared(ctx context.Context, bucket *Bucket) (Credential, error) {
	secret := &corev1.Secret{}
	err := d.Secrets.Get(ctx, key(bucket.Name), secret)
	where := v1alpha1.ProxyNamespace + "/" + ObjectName(bucket.Name)
	switch {
	case apierrors.IsNotFound(err):
		return Credential{}, misconfigured("store %q has no Secret %s: make it, or set %s to workload", bucket.Name, where, KeyCredentials)
	case apierrors.IsForbidden(err):
		return Credential{}, misconfigured("the Secret %s of store %q may not be read: give the manager and the reader a Role that names it", where, bucket.Name)
	case err != nil:
		return Credential{}, fmt.Errorf("read the Secret of store %q: %w", bucket.Name, err)
	}
	return ParseCredential(bucket.Name, secret.Data)
}

func key(store string) client.ObjectKey {
	return client.ObjectKey{Namespace: v1alpha1.ProxyNamespace, Name: ObjectName(store)}
}
