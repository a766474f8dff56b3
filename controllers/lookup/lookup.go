// Package lookup reads objects that need not be there.
package lookup

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// object is a pointer to T that is a client.Object.
type object[T any] interface {
	*T
	client.Object
}

// Find gets an object, or nil if there is none; any other failure is an error.
func Find[T any, P object[T]](ctx context.Context, reader client.Reader, namespace, name string) (P, error) {
	found := P(new(T))
	err := reader.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, found)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("get %T %s/%s: %w", found, namespace, name, err)
	}
	if err != nil {
		return nil, nil
	}
	return found, nil
}
