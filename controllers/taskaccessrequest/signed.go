package taskaccessrequest

import (
	"encoding/base64"
	"sync"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/record"
)

// signedSession is what was signed of one session's recording.
type signedSession struct {
	mu sync.Mutex
	// sealed is the newest segment; over says that it is the last there can be.
	sealed v1alpha1.SealedHead
	over   bool
	// recent are the newest signatures, to be given again where an answer was lost.
	recent  map[int]record.Signature
	written time.Time
}

// sign signs what goes on from what was signed, or gives the same signature again. due
// says that the status should be told now.
func (s *signedSession) sign(statement record.Statement, sign func() record.Signature, now time.Time) (signature record.Signature, due bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if earlier, ok := s.recent[statement.Segment]; ok {
		if earlier.Statement != statement {
			return record.Signature{}, false, unsigned("another segment %d of session %s is signed", statement.Segment, statement.Session)
		}
		return earlier, s.due(now), nil
	}
	if err := s.follows(statement); err != nil {
		return record.Signature{}, false, err
	}
	signature = sign()
	s.recent[statement.Segment] = signature
	delete(s.recent, statement.Segment-maxSignedSegments)
	s.over = s.over || statement.Complete
	s.sealed = v1alpha1.SealedHead{
		Segment: int64(statement.Segment), Sequence: statement.Last, Hash: statement.Hash,
		Key: signature.Key, Signature: base64.StdEncoding.EncodeToString(signature.Signature),
	}
	return signature, s.due(now), nil
}

// follows refuses what contradicts the newest segment that is signed.
func (s *signedSession) follows(statement record.Statement) error {
	segment := int64(statement.Segment)
	switch {
	case s.sealed.Segment == 0, segment > s.sealed.Segment+1 && !s.over:
		return nil
	case segment < s.sealed.Segment:
		return unsigned("segment %d of session %s came after segment %d was signed", segment, statement.Session, s.sealed.Segment)
	case segment == s.sealed.Segment:
		if statement.Hash != s.sealed.Hash || statement.Last != s.sealed.Sequence {
			return unsigned("another segment %d of session %s is signed", segment, statement.Session)
		}
	case s.over:
		return unsigned("session %s is signed to its end", statement.Session)
	case statement.Previous != s.sealed.Hash || statement.First != s.sealed.Sequence+1:
		return unsigned("segment %d of session %s does not follow the one that is signed", segment, statement.Session)
	}
	return nil
}

// due says whether the status is to be told, and that it is being told.
func (s *signedSession) due(now time.Time) bool {
	if !s.over && now.Sub(s.written) < signedEvery {
		return false
	}
	s.written = now
	return true
}

// again says that the status could not be told.
func (s *signedSession) again() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written = time.Time{}
}

func (s *signedSession) newest() v1alpha1.SealedHead {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sealed
}
