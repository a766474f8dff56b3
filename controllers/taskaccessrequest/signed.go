package taskaccessrequest

import (
	"encoding/base64"
	"sync"

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
	recent map[int]record.Signature
}

// sign signs what goes on from what was signed; given says that it is a signature that
// was given before.
func (s *signedSession) sign(statement record.Statement, sign func() record.Signature) (signature record.Signature, given bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if earlier, ok := s.recent[statement.Segment]; ok {
		if earlier.Statement != statement {
			return record.Signature{}, false, unsigned("another segment %d of session %s is signed", statement.Segment, statement.Session)
		}
		return earlier, true, nil
	}
	if err := follows(s.sealed, s.over, statement); err != nil {
		return record.Signature{}, false, err
	}
	return sign(), false, nil
}

// gave notes a signature that the status holds.
func (s *signedSession) gave(signature record.Signature) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recent[signature.Segment] = signature
	delete(s.recent, signature.Segment-maxSignedSegments)
	s.over = s.over || signature.Complete
	if int64(signature.Segment) >= s.sealed.Segment {
		s.sealed = sealedOf(signature)
	}
}

func sealedOf(signature record.Signature) v1alpha1.SealedHead {
	return v1alpha1.SealedHead{
		Segment: int64(signature.Segment), Sequence: signature.Last, Hash: signature.Hash,
		Key: signature.Key, Signature: base64.StdEncoding.EncodeToString(signature.Signature),
	}
}

// follows refuses what contradicts the newest segment that is signed; over says that it is
// the last there can be.
func follows(sealed v1alpha1.SealedHead, over bool, statement record.Statement) error {
	segment := int64(statement.Segment)
	switch {
	case sealed.Segment == 0, segment > sealed.Segment+1 && !over:
		return nil
	case segment < sealed.Segment:
		return unsigned("segment %d of session %s came after segment %d was signed", segment, statement.Session, sealed.Segment)
	case segment == sealed.Segment:
		if statement.Hash != sealed.Hash || statement.Last != sealed.Sequence {
			return unsigned("another segment %d of session %s is signed", segment, statement.Session)
		}
	case over:
		return unsigned("session %s is signed to its end", statement.Session)
	case statement.Previous != sealed.Hash || statement.First != sealed.Sequence+1:
		return unsigned("segment %d of session %s does not follow the one that is signed", segment, statement.Session)
	}
	return nil
}
