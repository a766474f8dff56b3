package taskaccessrequest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/wording"
	"github.com/sallyport/sallyport/internal/credential"
	"github.com/sallyport/sallyport/internal/manifest"
)

// close tears down, in an order that never leaves more than it found: the pod goes
// first, then the credential, then what surrounded the pod; it is over when the
// target itself has shown that the credential is gone.
func (r *Reconciler) close(ctx context.Context, s *scope) (outcome, error) {
	if s.status.Ended == nil {
		return next, nil
	}
	if s.status.ClosedAt != nil {
		return r.forget(ctx, s)
	}
	s.state(v1alpha1.ReasonClosing, s.status.Ended.Message)
	if err := r.removePod(ctx, s); err != nil {
		return stop, err
	}
	evidence, err := r.prove(ctx, s)
	if err != nil {
		s.unproved(err)
		s.state(v1alpha1.ReasonClosing, s.status.Ended.Message+"; "+s.status.Teardown.Message)
		if runs, ok := errors.AsType[*runsOut](err); ok {
			return again(min(max(runs.until.Sub(r.Now()), time.Second), time.Minute)), nil
		}
		return stop, &retry{reason: v1alpha1.ReasonUnreachable, err: err}
	}
	left, err := r.removeRest(ctx, s)
	if err != nil {
		return stop, err
	}
	if len(left) > 0 {
		s.state(v1alpha1.ReasonClosing, s.status.Ended.Message+"; waits for "+strings.Join(left, ", "))
		// The pod's end is an event; one on a node that is gone is not asked after for ever so often.
		return again(min(max(s.now.Sub(s.status.Ended.At.Time)/4, 500*time.Millisecond), time.Minute)), nil
	}
	if err := r.closeLedger(ctx, s); err != nil {
		return stop, err
	}
	evidence.Message = wording.Fit(evidence.Message+"; pod, service, service account, network policy and role gone", wording.Condition)
	s.status.Teardown = evidence
	s.status.ClosedAt = new(metav1.NewTime(r.Now()))
	s.set(v1alpha1.ConditionProxyReady, metav1.ConditionFalse, v1alpha1.ReasonClosed, "torn down")
	s.set(v1alpha1.ConditionCredentialIssued, metav1.ConditionFalse, v1alpha1.ReasonClosed, "torn down")
	reason, message := s.status.Ended.Reason, s.status.Ended.Message+"; "+evidence.Message
	if _, abandoned := s.request.Annotations[v1alpha1.AnnotationAbandon]; abandoned && !evidence.Proved {
		reason = v1alpha1.ReasonAbandoned
	}
	s.state(reason, message)
	if err := r.writeStatus(ctx, s); client.IgnoreNotFound(err) != nil {
		return stop, err
	}
	return r.forget(ctx, s)
}

// unproved says why the target has shown nothing yet, and since when. The same again
// is not written again: that would be an event, and the next try come at once.
func (s *scope) unproved(err error) {
	message := wording.Fit("not proved yet: "+err.Error(), wording.Condition)
	if last := s.status.Teardown; last == nil || last.Message != message {
		s.status.Teardown = &v1alpha1.Teardown{Message: message, CheckedAt: new(metav1.NewTime(s.now))}
	}
}

// prove revokes, and asks the target whether anything is left. A request that never
// got as far as a credential, or whose proxy never asked for a certificate, needs no proof.
func (r *Reconciler) prove(ctx context.Context, s *scope) (*v1alpha1.Teardown, error) {
	nothing := ""
	switch {
	case s.status.Credential == nil:
		nothing = "no credential was made"
	case s.status.Credential.Type == v1alpha1.CredentialCertificate && !certified(s.status):
		nothing = "no certificate was made"
	}
	if nothing != "" {
		return &v1alpha1.Teardown{Proved: true, Message: nothing, CheckedAt: new(metav1.NewTime(s.now))}, nil
	}
	evidence, err := r.revoke(ctx, s)
	// Whoever abandons gives up the proof, not the attempt.
	if reason, ok := s.request.Annotations[v1alpha1.AnnotationAbandon]; ok && err != nil {
		return &v1alpha1.Teardown{Message: "abandoned, not proved: " + reason, CheckedAt: new(metav1.NewTime(s.now))}, nil
	}
	if err != nil {
		return nil, err
	}
	return &v1alpha1.Teardown{Proved: evidence.Absent, Message: evidence.Message, CheckedAt: new(metav1.NewTime(evidence.CheckedAt))}, nil
}

// revoke asks the very target that the credential was made on.
func (r *Reconciler) revoke(ctx context.Context, s *scope) (credential.Evidence, error) {
	ctx, cancel := context.WithTimeout(ctx, effectTimeout)
	defer cancel()
	if s.target != nil && s.status.Target != nil && string(s.target.UID) != s.status.Target.UID {
		return credential.Evidence{}, fmt.Errorf("AccessTarget %s was made anew: it proves nothing about the one before; "+
			"look there, then set the annotation %s", s.target.Name, v1alpha1.AnnotationAbandon)
	}
	issuer, target, err := r.issuerFor(ctx, s.target)
	if err != nil {
		return credential.Evidence{}, err
	}
	// Names of roles follow from the root keys: with other keys the target would be asked
	// for a role that never was.
	if name := issuer.Name(target, s.uid()).Name; s.status.Credential.Type == v1alpha1.CredentialEphemeralRole && name != s.status.Credential.Name {
		return credential.Evidence{}, fmt.Errorf("the root keys were replaced since role %s was made: "+
			"remove it on the target, then set the annotation %s", s.status.Credential.Name, v1alpha1.AnnotationAbandon)
	}
	return revoke(ctx, issuer, target, credentialRequest(s, s.now))
}

func revoke(ctx context.Context, issuer credential.Issuer, target credential.Target, request credential.Request) (credential.Evidence, error) {
	if err := issuer.Revoke(ctx, target, request); err != nil {
		return credential.Evidence{}, fmt.Errorf("revoke: %w", err)
	}
	evidence, err := issuer.Verify(ctx, target, request)
	if err != nil {
		return credential.Evidence{}, fmt.Errorf("verify: %w", err)
	}
	if !evidence.Absent && !evidence.Until.IsZero() {
		return credential.Evidence{}, &runsOut{evidence.Message, evidence.Until}
	}
	if !evidence.Absent && !evidence.Standing {
		return credential.Evidence{}, fmt.Errorf("the target still shows it: %s", evidence.Message)
	}
	return evidence, nil
}

// runsOut is a credential that ends by itself: nothing has failed, and nothing but a
// moment is waited for.
type runsOut struct {
	message string
	until   time.Time
}

func (e *runsOut) Error() string { return e.message }

// removePod asks the kubelet to end the proxy; its sessions have been ended over
// the control channel already, this is for a proxy that no longer listens.
func (r *Reconciler) removePod(ctx context.Context, s *scope) error {
	if s.pod == nil || !s.pod.DeletionTimestamp.IsZero() {
		return nil
	}
	if err := r.Delete(ctx, s.pod); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("remove proxy: %w", err)
	}
	return nil
}

// removeRest removes what surrounded the pod, once the pod is gone, and says what
// is still there.
func (r *Reconciler) removeRest(ctx context.Context, s *scope) (left []string, err error) {
	if s.pod != nil {
		return []string{"the proxy pod"}, nil
	}
	for _, object := range []client.Object{
		manifest.RoleBinding(s.request), manifest.Role(s.request), manifest.Service(s.request, manifest.Upstream{}),
		manifest.NetworkPolicy(s.request, manifest.Upstream{}, manifest.Store{}), manifest.ServiceAccount(s.request),
	} {
		if err := r.Delete(ctx, object); client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("remove %T: %w", object, err)
		}
	}
	return nil, nil
}
