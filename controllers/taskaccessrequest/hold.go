package taskaccessrequest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/lookup"
	"github.com/sallyport/sallyport/controllers/wording"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/digest"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/policy"
)

// maxHeldReviews is how many reviews of held operations a request has at most; the
// oldest that are over make room.
const maxHeldReviews = 200

// opening lets one operation of a request be put before reviewers at a time, so that
// the bound on open ones holds.
type opening [64]sync.Mutex

func (o *opening) lock(uid string) (unlock func()) {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(uid))
	mutex := &o[hash.Sum32()%uint32(len(o))]
	mutex.Lock()
	return mutex.Unlock
}

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %s", control.ErrHoldRefused, wording.Fit(fmt.Sprintf(format, args...), wording.Condition))
}

// heldReviewName is fixed by the operation, so that a proxy that lost the manager, or
// a manager that died between making the review and saying so, finds it again.
func heldReviewName(request *v1alpha1.TaskAccessRequest, id string, point v1alpha1.HoldPoint) string {
	sum := sha256.Sum256([]byte(string(request.UID) + "/" + string(point) + "/" + id))
	return request.Name + "-" + hex.EncodeToString(sum[:5])
}

// OpenHold puts an operation before reviewers, under the policy that the request was
// granted on.
func (p *Provider) OpenHold(ctx context.Context, uid string, held v1alpha1.HeldOperation) (control.HoldState, error) {
	if err := control.CheckHeld(held); err != nil {
		return control.HoldState{}, err
	}
	defer p.opening.lock(uid)()
	now, err := p.granted(ctx, uid)
	if err != nil {
		return control.HoldState{}, err
	}
	review, err := heldReview(ctx, p.Uncached, now.request, held.ID, held.Point)
	if err != nil {
		return control.HoldState{}, err
	}
	if review == nil {
		question, err := p.askAbout(ctx, now, held)
		if err != nil {
			return control.HoldState{}, err
		}
		if review, err = p.openHeldReview(ctx, now.request, *question); err != nil {
			return control.HoldState{}, err
		}
	}
	if review.Spec.Question.Subject.Held.Digest != held.Digest {
		return control.HoldState{}, refused("review %s is about another operation of this name", review.Name)
	}
	return approvedFor(now, review)
}

// HoldState is how the review of an operation stands. An outcome that the cache has is
// terminal; an approval rests on what the API server says of the request now.
func (p *Provider) HoldState(ctx context.Context, uid, id string, point v1alpha1.HoldPoint) (control.HoldState, error) {
	request, err := p.request(ctx, uid)
	if err != nil {
		return control.HoldState{}, err
	}
	if request == nil {
		return control.HoldState{}, refused("the request is gone")
	}
	review, err := heldReview(ctx, p.Client, request, id, point)
	if err == nil && review == nil {
		// This replica's cache may be behind.
		review, err = heldReview(ctx, p.Uncached, request, id, point)
	}
	if err != nil {
		return control.HoldState{}, err
	}
	if review == nil {
		return control.HoldState{}, refused("its review is gone")
	}
	if review.Status.Outcome != v1alpha1.OutcomeApproved {
		return stateOf(review), nil
	}
	now, err := p.granted(ctx, uid)
	if err != nil {
		return control.HoldState{}, err
	}
	return approvedFor(now, review)
}

// Withdraw marks a review as one that nobody waits for; the leader ends it.
func (p *Provider) Withdraw(ctx context.Context, uid, id string, point v1alpha1.HoldPoint) (bool, error) {
	request, err := p.request(ctx, uid)
	if err != nil || request == nil {
		// With the request its reviews end, too.
		return err == nil, err
	}
	review, err := heldReview(ctx, p.Uncached, request, id, point)
	if err != nil || review == nil {
		return false, err
	}
	if review.Status.Outcome != "" || review.Annotations[v1alpha1.AnnotationWithdrawn] != "" {
		return true, nil
	}
	marked := review.DeepCopy()
	metav1.SetMetaDataAnnotation(&marked.ObjectMeta, v1alpha1.AnnotationWithdrawn, p.Now().UTC().Format(time.RFC3339))
	if err := p.Patch(ctx, marked, client.MergeFrom(review)); client.IgnoreNotFound(err) != nil {
		return true, fmt.Errorf("withdraw review %s: %w", review.Name, err)
	}
	return true, nil
}

// granted reads, past the cache, a request that is granted and alive, and everything
// that its grant is bound to.
func (p *Provider) granted(ctx context.Context, uid string) (view, error) {
	request, err := p.request(ctx, uid)
	if err != nil {
		return view{}, err
	}
	if request != nil {
		request, err = p.live(ctx, request.Namespace, request.Name, uid)
	}
	if err != nil {
		return view{}, err
	}
	if request == nil {
		return view{}, refused("the request is gone")
	}
	now, err := look(ctx, p.Uncached, request)
	if err != nil {
		return view{}, err
	}
	if phase, why := phaseOf(now, p.Now()); phase != grant.Granted {
		return view{}, refused("the request is not granted: %s", why)
	}
	return now, nil
}

// heldReview is the review of an operation, or nil.
func heldReview(ctx context.Context, reader client.Reader, request *v1alpha1.TaskAccessRequest, id string, point v1alpha1.HoldPoint) (*v1alpha1.ApprovalReview, error) {
	review, err := lookup.Find[v1alpha1.ApprovalReview](ctx, reader, request.Namespace, heldReviewName(request, id, point))
	if err != nil || review == nil {
		return nil, err
	}
	subject := review.Spec.Question.Subject
	if subject.Held == nil || subject.Request.UID != string(request.UID) || subject.Held.ID != id || subject.Held.Point != point {
		return nil, refused("review %s is about something else", review.Name)
	}
	return review, nil
}

// askAbout is the question about an operation, with everything copied that an answer
// depends on; an error of the policy's bounds is an ErrHoldRefused.
func (p *Provider) askAbout(ctx context.Context, now view, held v1alpha1.HeldOperation) (*v1alpha1.Question, error) {
	spec, granted := now.policy.Spec, now.review.Spec.Question
	effect, timeout := v1alpha1.EffectHold, policy.HoldTimeout(spec)
	if held.Point == v1alpha1.HoldAtCommit {
		effect, timeout = v1alpha1.EffectHoldCommit, policy.CommitTimeout(spec)
	}
	if !slices.ContainsFunc(spec.Rules, func(r v1alpha1.Rule) bool { return r.Name == held.Rule && r.Effect == effect }) {
		return nil, refused("policy %s has no rule %q with effect %s", now.policy.Name, held.Rule, effect)
	}
	requirements := policy.HoldRequirements(spec)
	if len(requirements) == 0 {
		return nil, refused("policy %s names nobody who could answer: its author must add hold.requirements", now.policy.Name)
	}
	if err := p.makeRoom(ctx, now, policy.MaxOpen(spec)); err != nil {
		return nil, err
	}
	expires := p.Now().Add(timeout)
	if end := now.request.Status.ExpiresAt.Time; end.Before(expires) {
		expires = end
	}
	return &v1alpha1.Question{
		Subject:   v1alpha1.Subject{Kind: v1alpha1.SubjectStatement, Request: digest.BindRequest(now.request), Held: &held},
		Requester: granted.Requester, Task: granted.Task, Reason: granted.Reason, DurationSeconds: granted.DurationSeconds,
		Policy: granted.Policy, Target: granted.Target, Grant: granted.Grant,
		Requirements: requirements, ExpiresAt: metav1.NewTime(expires),
	}, nil
}

// makeRoom refuses an operation where too many are open, and removes reviews that are
// over, the oldest first, where too many are kept.
func (p *Provider) makeRoom(ctx context.Context, now view, maxOpen int) error {
	list := &v1alpha1.ApprovalReviewList{}
	if err := p.Uncached.List(ctx, list, client.InNamespace(now.request.Namespace),
		client.MatchingLabels{v1alpha1.LabelRequestUID: string(now.request.UID)}); err != nil {
		return fmt.Errorf("list reviews: %w", err)
	}
	var over []v1alpha1.ApprovalReview
	open := 0
	for _, review := range list.Items {
		switch {
		case review.Spec.Question.Subject.Kind != v1alpha1.SubjectStatement:
		case review.Status.Outcome != "":
			over = append(over, review)
		default:
			open++
		}
	}
	if open >= maxOpen {
		return refused("%d operations of this task are before their reviewers already: wait for an answer, or cancel one", open)
	}
	slices.SortFunc(over, func(a, b v1alpha1.ApprovalReview) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	for i := range over[:max(0, min(len(over), open+len(over)+1-maxHeldReviews))] {
		if err := p.Delete(ctx, &over[i], client.Preconditions{UID: &over[i].UID}); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("remove review %s: %w", over[i].Name, err)
		}
	}
	return nil
}

func (p *Provider) openHeldReview(ctx context.Context, request *v1alpha1.TaskAccessRequest, question v1alpha1.Question) (*v1alpha1.ApprovalReview, error) {
	held := question.Subject.Held
	review := newReview(request, heldReviewName(request, held.ID, held.Point), question)
	err := p.Create(ctx, review)
	switch {
	case apierrors.IsAlreadyExists(err):
		// Another replica was asked as well.
		found, err := heldReview(ctx, p.Uncached, request, held.ID, held.Point)
		if err == nil && found == nil {
			err = fmt.Errorf("review %s was there, and is gone", review.Name)
		}
		return found, err
	case apierrors.IsInvalid(err):
		return nil, refused("the review cannot be stored: %v", err)
	case err != nil:
		return nil, fmt.Errorf("open review: %w", err)
	}
	return review, nil
}

// approvedFor says how a review stands for what the request is granted on now: an
// approval must be bound to the same.
func approvedFor(now view, review *v1alpha1.ApprovalReview) (control.HoldState, error) {
	question, granted := review.Spec.Question, now.review.Spec.Question
	if review.Status.Outcome == v1alpha1.OutcomeApproved && (question.Policy != granted.Policy ||
		question.Target != granted.Target || question.Subject.Request != granted.Subject.Request) {
		return control.HoldState{}, refused("review %s was answered for another grant", review.Name)
	}
	return stateOf(review), nil
}

// stateOf says how a review stands.
func stateOf(review *v1alpha1.ApprovalReview) control.HoldState {
	state := control.HoldState{Review: review.Name, Outcome: review.Status.Outcome, Digest: review.Spec.Question.Subject.Held.Digest}
	switch review.Status.Outcome {
	case "":
		state.Message = "needs " + strings.Join(review.Status.Missing, ", ")
		if len(review.Status.Missing) == 0 {
			state.Message = "needs a decision"
		}
	case v1alpha1.OutcomeApproved:
		state.Message = approvedBy(review)
	case v1alpha1.OutcomeDenied:
		state.Message = denial(review)
	case v1alpha1.OutcomeExpired, v1alpha1.OutcomeWithdrawn:
		if ready := meta.FindStatusCondition(review.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
			state.Message = ready.Message
		}
	}
	return state
}
