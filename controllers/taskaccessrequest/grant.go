package taskaccessrequest

import (
	"context"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/policy"
	targets "github.com/sallyport/sallyport/internal/target"
)

// recheck is how soon a grant that something withholds is looked at again.
const recheck = 5 * time.Second

// grant mints the credential on the target. Its name is in the status before it
// is made, so that whoever tears down knows what to look for.
func (r *Reconciler) grant(ctx context.Context, s *scope) (outcome, error) {
	if s.status.GrantedAt != nil {
		return next, nil
	}
	withheld, message, err := r.withheld(ctx, s)
	if err != nil {
		return stop, err
	}
	if withheld != "" {
		s.set(v1alpha1.ConditionCredentialIssued, metav1.ConditionFalse, withheld, message)
		s.state(v1alpha1.ReasonPending, message)
		return again(recheck), nil
	}
	issuer, target, err := r.issuerFor(ctx, s.target)
	if err != nil {
		return s.notIssued(v1alpha1.ReasonUnreachable, err)
	}
	if s.status.Credential == nil {
		s.status.Credential = new(issuer.Name(target, s.uid()))
		s.set(v1alpha1.ConditionCredentialIssued, metav1.ConditionFalse, "Issuing", "about to be made")
		s.state(v1alpha1.ReasonGranting, "approved; the credential is being made")
		if err := r.writeStatus(ctx, s); err != nil {
			return stop, err
		}
	}
	grantedAt := r.Now()
	expiresAt := grantedAt.Add(time.Duration(s.request.Spec.DurationSeconds) * time.Second)
	ctx, cancel := context.WithTimeout(ctx, effectTimeout)
	defer cancel()
	issued, err := issuer.Issue(ctx, target, credentialRequest(s, expiresAt))
	if err != nil {
		return s.notIssued("IssueFailed", err)
	}
	s.status.Credential = &issued
	s.status.GrantedAt, s.status.ExpiresAt = new(metav1.NewTime(grantedAt)), new(metav1.NewTime(expiresAt))
	s.set(v1alpha1.ConditionCredentialIssued, metav1.ConditionTrue, string(issued.Type), issued.Name)
	// Written before anything else, so that a waiting client need not wait longer.
	s.state(v1alpha1.ReasonActive, activeMessage(s))
	return next, r.writeStatus(ctx, s)
}

// notIssued keeps the reason in the status, and the error for backoff.
func (s *scope) notIssued(reason string, err error) (outcome, error) {
	s.set(v1alpha1.ConditionCredentialIssued, metav1.ConditionFalse, reason, err.Error())
	s.state(v1alpha1.ReasonPending, "the credential could not be made: "+err.Error())
	return stop, &retry{reason: reason, err: err}
}

// withheld is why an approved request gets no credential now.
func (r *Reconciler) withheld(ctx context.Context, s *scope) (reason, message string, err error) {
	changes, err := r.Guard.Differences(ctx)
	switch {
	case err != nil:
		return "", "", &retry{reason: "AdmissionUnknown", err: err}
	case len(changes) > 0:
		return "AdmissionWeakened", "nothing is granted while the installed admission policies differ from the manager's: " +
			strings.Join(changes, "; "), nil
	case !readyNow(s.target.Generation, s.target.Status.Conditions):
		return "TargetNotReady", "target " + s.target.Name + ": " + whyNotReady(s.target.Status.Conditions), nil
	case !readyNow(s.policy.Generation, s.policy.Status.Conditions):
		return "PolicyNotReady", "policy " + s.policy.Name + ": " + whyNotReady(s.policy.Status.Conditions), nil
	}
	reason, message = isolation(s.policy.Spec.Isolation, s.request.Status.Conditions, s.pod)
	return reason, message, nil
}

// issuerFor finds how credentials of a target are made.
func (r *Reconciler) issuerFor(ctx context.Context, target *v1alpha1.AccessTarget) (credential.Issuer, credential.Target, error) {
	if target == nil {
		return nil, credential.Target{}, fmt.Errorf("the target is gone")
	}
	resolved, err := r.Targets.Resolve(ctx, target)
	if err != nil {
		return nil, credential.Target{}, err
	}
	endpoint, ok := targets.EndpointOf(target.Spec)
	issuer, known := r.Issuers[endpoint.Kind]
	if !ok || !known {
		return nil, credential.Target{}, fmt.Errorf("no issuer for %s credential %s", endpoint.Protocol, endpoint.Type)
	}
	return issuer, resolved, nil
}

func credentialRequest(s *scope, until time.Time) credential.Request {
	request := credential.Request{UID: s.uid(), Generation: 1, ValidUntil: until, MaxConnections: 1}
	if s.status.Credential != nil && s.status.Credential.Generation > 0 {
		request.Generation = s.status.Credential.Generation
	}
	if s.status.Ended != nil {
		request.EndedAt = s.status.Ended.At.Time
	}
	if s.status.ExpiresAt != nil {
		request.ExpiresAt = s.status.ExpiresAt.Time
	}
	if s.review != nil {
		request.Grant = s.review.Spec.Question.Grant
	}
	if s.policy != nil {
		request.MaxConnections = connections(s.policy.Spec)
	}
	return request
}

// connections is how many the task's login needs: one for each session, and, where the
// proxy looks at what a statement would do or does, one beside it.
func connections(spec v1alpha1.AccessPolicySpec) int32 {
	if policy.Holds(spec) || spec.Masking != nil {
		return 2 * spec.Session.MaxConcurrent
	}
	return spec.Session.MaxConcurrent
}

// lowerDeadline makes the kubelet end the pod soon after its task, whatever
// becomes of the manager. A pod's deadline can only be lowered.
func (r *Reconciler) lowerDeadline(ctx context.Context, s *scope) error {
	if s.pod == nil || s.pod.Status.StartTime == nil {
		return nil
	}
	seconds := int64(s.status.ExpiresAt.Sub(s.pod.Status.StartTime.Time).Seconds()) + proxySlack
	if current := s.pod.Spec.ActiveDeadlineSeconds; seconds < 1 || current != nil && *current <= seconds {
		return nil
	}
	lowered := s.pod.DeepCopy()
	lowered.Spec.ActiveDeadlineSeconds = &seconds
	if err := r.Patch(ctx, lowered, client.MergeFrom(s.pod)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("lower the pod's deadline: %w", err)
	}
	return nil
}

// active is the resting state until the task's time is over.
func (r *Reconciler) active(ctx context.Context, s *scope) (outcome, error) {
	// On every pass: the one that granted may have died here, or its pod not have started.
	if err := r.lowerDeadline(ctx, s); err != nil {
		return stop, err
	}
	s.state(v1alpha1.ReasonActive, activeMessage(s))
	return again(untilChecked(s, s.status.ExpiresAt.Sub(r.Now()))), nil
}

func activeMessage(s *scope) string {
	verb := "psql"
	if targets.ProtocolOf(s.review.Spec.Question.Grant) == v1alpha1.ProtocolSSH {
		verb = "ssh"
	}
	return "until " + s.status.ExpiresAt.UTC().Format(time.RFC3339) + ": kubectl access " + verb + " " + s.request.Name + " -n " + s.request.Namespace
}
