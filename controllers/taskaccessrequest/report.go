package taskaccessrequest

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/lookup"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/ledger"
	"github.com/sallyport/sallyport/internal/manifest"
)

// Report writes what a proxy says of itself into the request's status, as a field
// manager of its own: it is the proxy's word, and never touches what the
// reconciler concluded.
func (p *Provider) Report(ctx context.Context, uid string, report control.Report) error {
	pod, err := lookup.Find[corev1.Pod](ctx, p.Client, v1alpha1.ProxyNamespace, manifest.Name(uid))
	if err != nil {
		return err
	}
	err = p.writeReport(ctx, uid, func(request *v1alpha1.TaskAccessRequest) v1alpha1.TaskAccessRequestStatus {
		return v1alpha1.TaskAccessRequestStatus{
			Sessions:   countsOf(request.Status.Sessions, report),
			Recording:  recordingOf(request.Status.Recording, report),
			Conditions: p.isolated(request, report, pod),
		}
	})
	if errors.Is(err, errGone) {
		return nil // nobody is left to tell
	}
	return err
}

// errGone is a request that was deleted meanwhile.
var errGone = errors.New("the request is gone")

// reportTries bounds how often a report meets another write of the status.
const reportTries = 5

// writeReport applies what draft makes of a request, under the version that it was
// made of: heads only move on, and so must not be merged with what a cache holds still.
func (p *Provider) writeReport(ctx context.Context, uid string, draft func(*v1alpha1.TaskAccessRequest) v1alpha1.TaskAccessRequestStatus) error {
	request, err := p.request(ctx, uid)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		if request == nil {
			return errGone
		}
		status := draft(request)
		if err := p.trim(ctx, uid, status.Recording); err != nil {
			return err
		}
		if unchanged(request.Status, status) {
			return nil
		}
		_, err := applyStatus(ctx, p.Client, request, status, reporterFieldOwner, request.ResourceVersion)
		if !apierrors.IsConflict(err) || try == reportTries {
			switch {
			case apierrors.IsNotFound(err):
				return errGone
			case err != nil:
				return fmt.Errorf("write report: %w", err)
			}
			return nil
		}
		if request, err = p.live(ctx, request.Namespace, request.Name, uid); err != nil {
			return err
		}
	}
}

// trim takes away heads that the status has no room for. That something of a session is
// signed is in the ledger before it is forgotten here: nothing more of it will be.
func (p *Provider) trim(ctx context.Context, uid string, recording *v1alpha1.RecordingStatus) error {
	if recording == nil || len(recording.Head) <= control.MaxHeads {
		return nil
	}
	kept, signed := newest(recording.Head)
	recording.Head = kept
	if len(signed) == 0 {
		return nil
	}
	there, err := lookup.Find[corev1.ConfigMap](ctx, p.Uncached, v1alpha1.ProxyNamespace, ledger.Name(uid))
	if err != nil || there == nil {
		return err
	}
	if ledger.Retire(there, signed...) {
		if err := p.Update(ctx, there); err != nil {
			return fmt.Errorf("note in the ledger what is signed: %w", err)
		}
	}
	return nil
}

// isolated is the condition that a report makes; one that came before the proxy had
// looked, or after its pod, leaves the old one.
func (p *Provider) isolated(request *v1alpha1.TaskAccessRequest, report control.Report, pod *corev1.Pod) []metav1.Condition {
	old := meta.FindStatusCondition(request.Status.Conditions, v1alpha1.ConditionIsolated)
	if pod == nil || report.Isolation == "" {
		if old == nil {
			return nil
		}
		return []metav1.Condition{*old}
	}
	condition := isolationOf(report, string(pod.UID))
	condition.LastTransitionTime = metav1.NewTime(p.Now())
	condition.ObservedGeneration = request.Generation
	if old != nil && old.Status == condition.Status {
		condition.LastTransitionTime = old.LastTransitionTime
	}
	return []metav1.Condition{condition}
}

func unchanged(old, draft v1alpha1.TaskAccessRequestStatus) bool {
	was := v1alpha1.TaskAccessRequestStatus{Sessions: old.Sessions, Recording: reported(old.Recording)}
	if isolated := meta.FindStatusCondition(old.Conditions, v1alpha1.ConditionIsolated); isolated != nil {
		was.Conditions = []metav1.Condition{*isolated}
	}
	return equality.Semantic.DeepEqual(was, draft)
}

// countsOf takes a report's counts. A proxy that was replaced counts from zero
// again: totals never fall.
func countsOf(old *v1alpha1.SessionCounts, report control.Report) *v1alpha1.SessionCounts {
	counts := &v1alpha1.SessionCounts{Active: report.Active, Total: report.Total, Allowed: report.Allowed, Refused: report.Refused}
	if old != nil {
		counts.Total, counts.Allowed, counts.Refused = max(old.Total, counts.Total), max(old.Allowed, counts.Allowed), max(old.Refused, counts.Refused)
	}
	return counts
}
