package taskaccessrequest

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/lookup"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/manifest"
	"github.com/sallyport/sallyport/internal/record"
)

// Report writes what a proxy says of itself into the request's status, as a field
// manager of its own: it is the proxy's word, and never touches what the
// reconciler concluded.
func (p *Provider) Report(ctx context.Context, uid string, report control.Report) error {
	request, err := p.request(ctx, uid)
	if err != nil || request == nil {
		return err
	}
	pod, err := lookup.Find[corev1.Pod](ctx, p.Client, v1alpha1.ProxyNamespace, manifest.Name(uid))
	if err != nil {
		return err
	}
	status := v1alpha1.TaskAccessRequestStatus{
		Sessions:   countsOf(request.Status.Sessions, report),
		Recording:  recordingOf(request, report),
		Conditions: p.isolated(request, report, pod),
	}
	if unchanged(request.Status, status) {
		return nil
	}
	if _, err := applyStatus(ctx, p.Client, request, status, reporterFieldOwner, ""); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write report: %w", err)
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

func unchanged(old, reported v1alpha1.TaskAccessRequestStatus) bool {
	was := v1alpha1.TaskAccessRequestStatus{Sessions: old.Sessions, Recording: old.Recording}
	if isolated := meta.FindStatusCondition(old.Conditions, v1alpha1.ConditionIsolated); isolated != nil {
		was.Conditions = []metav1.Condition{*isolated}
	}
	return equality.Semantic.DeepEqual(was, reported)
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

// recordingOf merges reported heads with the known ones: a head of a session only
// ever moves on, and a replaced proxy does not take an earlier one's along.
func recordingOf(request *v1alpha1.TaskAccessRequest, report control.Report) *v1alpha1.RecordingStatus {
	recording := &v1alpha1.RecordingStatus{Path: string(request.UID)}
	if old := request.Status.Recording; old != nil {
		recording = old.DeepCopy()
	}
	for _, head := range report.Heads {
		recording.Head = mergeHead(recording.Head, head)
	}
	if extra := len(recording.Head) - control.MaxHeads; extra > 0 {
		recording.Head = recording.Head[extra:]
	}
	return recording
}

func mergeHead(heads []v1alpha1.RecordingHead, head record.Head) []v1alpha1.RecordingHead {
	reported := v1alpha1.RecordingHead{Session: head.Session, Sequence: head.Sequence, Hash: head.Hash, Complete: head.Complete}
	for i := range heads {
		if heads[i].Session == head.Session {
			if head.Sequence > heads[i].Sequence {
				heads[i] = reported
			}
			return heads
		}
	}
	return append(heads, reported)
}
