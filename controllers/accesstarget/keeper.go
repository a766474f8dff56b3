package accesstarget

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// keeper holds a finalizer on a target while requests are open on it: their
// teardown needs the target's address and its Secret's name. It is apart from the
// Reconciler so that a request's coming and going costs the target no probe.
type keeper struct{ *Reconciler }

// Reasons of InUse.
const (
	reasonOpenRequests   = "OpenRequests"
	reasonNoOpenRequests = "NoOpenRequests"
)

// Reconcile keeps or releases one target.
func (k *keeper) Reconcile(ctx context.Context, key ctrl.Request) (ctrl.Result, error) {
	target := &v1alpha1.AccessTarget{}
	if err := k.Get(ctx, key.NamespacedName, target); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	open, err := k.open(ctx, target)
	if err != nil {
		return ctrl.Result{}, err
	}
	err = k.keep(ctx, target, open)
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: 20 * time.Millisecond}, nil
	}
	return ctrl.Result{}, client.IgnoreNotFound(err)
}

func (k *keeper) keep(ctx context.Context, target *v1alpha1.AccessTarget, open []string) error {
	deleting := !target.DeletionTimestamp.IsZero()
	if len(open) > 0 && !deleting {
		if err := k.finalize(ctx, target, controllerutil.AddFinalizer); err != nil {
			return err
		}
	}
	if err := k.writeInUse(ctx, target, inUse(target, open, k.Now())); err != nil {
		return err
	}
	if len(open) == 0 {
		return k.finalize(ctx, target, controllerutil.RemoveFinalizer)
	}
	return nil
}

// open lists the names of the requests on the target that are not over.
func (k *keeper) open(ctx context.Context, target *v1alpha1.AccessTarget) ([]string, error) {
	list := &v1alpha1.TaskAccessRequestList{}
	if err := k.List(ctx, list, client.InNamespace(target.Namespace)); err != nil {
		return nil, fmt.Errorf("list requests: %w", err)
	}
	var names []string
	for _, request := range list.Items {
		if request.Spec.Target == target.Name && request.Status.ClosedAt == nil {
			names = append(names, request.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// finalize patches the finalizers alone, under the resource version that was read.
func (k *keeper) finalize(ctx context.Context, target *v1alpha1.AccessTarget, change func(client.Object, string) bool) error {
	before := target.DeepCopy()
	if !change(target, v1alpha1.Finalizer) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := k.Patch(ctx, target, patch); err != nil {
		return fmt.Errorf("patch finalizers: %w", err)
	}
	return nil
}

// inUse is the condition that follows from the open requests.
func inUse(target *v1alpha1.AccessTarget, open []string, now time.Time) *metav1.Condition {
	condition := &metav1.Condition{
		Type: v1alpha1.ConditionInUse, Status: metav1.ConditionFalse, Reason: reasonNoOpenRequests,
		ObservedGeneration: target.Generation, LastTransitionTime: metav1.NewTime(now),
	}
	if len(open) == 0 {
		return condition
	}
	const shown = 10
	names := strings.Join(open[:min(len(open), shown)], ", ")
	if len(open) > shown {
		names += fmt.Sprintf(" and %d more", len(open)-shown)
	}
	condition.Status, condition.Reason, condition.Message = metav1.ConditionTrue, reasonOpenRequests, "open: "+names
	if !target.DeletionTimestamp.IsZero() {
		condition.Message = "deletion waits until these requests are closed: " + names
	}
	return condition
}
