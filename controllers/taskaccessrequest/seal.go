package taskaccessrequest

import (
	"context"
	"fmt"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/controllers/lookup"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/ledger"
	"github.com/sallyport/sallyport/internal/record"
)

// Seal signs what a segment is, and never two different things about one: what it signs
// is in the request's status before anybody is told of it, written under the version of
// the status that it was compared with.
func (p *Provider) Seal(ctx context.Context, uid string, statement record.Statement) (record.Signature, error) {
	if statement.RequestUID != uid {
		return record.Signature{}, unsigned("session %s is another request's", statement.Session)
	}
	if err := statement.Validate(); err != nil {
		return record.Signature{}, unsigned("%v", err)
	}
	session, err := p.signedOf(ctx, uid, statement.Session)
	if err != nil {
		return record.Signature{}, err
	}
	given, before, err := session.check(statement)
	if err != nil {
		return record.Signature{}, err
	}
	if given != nil {
		return *given, nil
	}
	var signature record.Signature
	var refused error
	err = p.writeReport(ctx, uid, func(request *v1alpha1.TaskAccessRequest) v1alpha1.TaskAccessRequestStatus {
		status := asReported(request)
		var link record.Link
		if link, refused = linkIn(status.Recording, statement, before); refused == nil {
			signature = record.SignLinked(p.RecordingKey, statement, link, p.Now())
			status.Recording, refused = withSigned(status.Recording, signature)
		}
		return status
	})
	switch {
	case refused != nil:
		// Another replica has signed something else: it is the status that counts.
		p.signed.forget(uid, statement.Session)
		return record.Signature{}, refused
	case err != nil:
		return record.Signature{}, err
	}
	session.gave(signature)
	return signature, nil
}

// asReported is what the reporter has written already.
func asReported(request *v1alpha1.TaskAccessRequest) v1alpha1.TaskAccessRequestStatus {
	status := v1alpha1.TaskAccessRequestStatus{
		Sessions: request.Status.Sessions, Recording: reported(request.Status.Recording),
	}
	if isolated := meta.FindStatusCondition(request.Status.Conditions, v1alpha1.ConditionIsolated); isolated != nil {
		status.Conditions = []metav1.Condition{*isolated}
	}
	return status
}

// signedOf is what is known to be signed of a session. What this replica has not signed
// itself it reads past the cache: another one may have, a moment ago.
func (p *Provider) signedOf(ctx context.Context, uid, name string) (*signedSession, error) {
	request, err := p.request(ctx, uid)
	if err != nil {
		return nil, err
	}
	if request == nil || request.Status.ClosedAt != nil {
		return nil, unsigned("the request is gone, or closed")
	}
	if session := p.signed.get(uid, name); session != nil {
		return session, nil
	}
	if request, err = p.live(ctx, request.Namespace, request.Name, uid); err != nil {
		return nil, err
	}
	if request == nil {
		return nil, unsigned("the request is gone")
	}
	session := &signedSession{recent: map[int]record.Signature{}}
	if recording := request.Status.Recording; recording != nil {
		for _, head := range recording.Head {
			if head.Session == name && head.Sealed != nil {
				session.sealed, session.over = *head.Sealed, over(head)
			}
		}
	}
	if session.sealed.Segment == 0 {
		if err := p.notRetired(ctx, uid, name); err != nil {
			return nil, err
		}
	}
	return p.signed.add(uid, name, session), nil
}

// sealedEnd is the last segment of a session that is signed to its end; 0 for any other,
// and for one that the status has had no room for since.
func (p *Provider) sealedEnd(request *v1alpha1.TaskAccessRequest, name string) int64 {
	if session := p.signed.get(string(request.UID), name); session != nil {
		if end := session.end(); end > 0 {
			return end
		}
	}
	if request.Status.Recording != nil {
		for _, head := range request.Status.Recording.Head {
			if head.Session == name && over(head) {
				return head.Sealed.Segment
			}
		}
	}
	return 0
}

// notRetired refuses a session that was signed to its end, and whose head the status has
// had no room for since.
func (p *Provider) notRetired(ctx context.Context, uid, session string) error {
	there, err := lookup.Find[corev1.ConfigMap](ctx, p.Uncached, v1alpha1.ProxyNamespace, ledger.Name(uid))
	if err != nil {
		return err
	}
	if there != nil && ledger.Retired(there, session) {
		return unsigned("session %s is signed to its end", session)
	}
	return nil
}

func unsigned(format string, args ...any) error {
	return fmt.Errorf("%w: %s", control.ErrSealRefused, fmt.Sprintf(format, args...))
}

// Bounds of a replica's memory of signatures: sessions, and segments of each.
const (
	maxSignedSessions = 4096
	maxSignedSegments = 16
)

// signatures is what this replica has signed lately. The zero value is ready.
type signatures struct {
	mu       sync.Mutex
	sessions *lru.Cache[string, *signedSession]
}

func signedKey(uid, session string) string { return uid + "/" + session }

func (s *signatures) get(uid, name string) *signedSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions == nil {
		return nil
	}
	session, _ := s.sessions.Get(signedKey(uid, name))
	return session
}

// add keeps the first of two that came at once.
func (s *signatures) add(uid, name string, session *signedSession) *signedSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions == nil {
		s.sessions, _ = lru.New[string, *signedSession](maxSignedSessions) // an error is a size below 1
	}
	if first, ok, _ := s.sessions.PeekOrAdd(signedKey(uid, name), session); ok {
		return first
	}
	return session
}

// forget has a session read anew from the status.
func (s *signatures) forget(uid, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions != nil {
		s.sessions.Remove(signedKey(uid, name))
	}
}
