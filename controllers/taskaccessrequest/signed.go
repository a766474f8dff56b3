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

// check refuses what does not go on from what was signed. given is a signature that was
// given before; before is the newest segment that was signed, 0 for none.
func (s *signedSession) check(statement record.Statement) (given *record.Signature, before int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if earlier, ok := s.recent[statement.Segment]; ok {
		if earlier.Statement != statement {
			return nil, 0, unsigned("another segment %d of session %s is signed", statement.Segment, statement.Session)
		}
		return &earlier, 0, nil
	}
	return nil, s.sealed.Segment, follows(s.sealed, s.over, statement)
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

// end is the segment that is signed as the last one; 0 if none is.
func (s *signedSession) end() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		return 0
	}
	return s.sealed.Segment
}

func sealedOf(signature record.Signature) v1alpha1.SealedHead {
	return v1alpha1.SealedHead{
		Segment: int64(signature.Segment), Sequence: signature.Last, Hash: signature.Hash,
		Key: signature.Key, Signature: base64.StdEncoding.EncodeToString(signature.Signature),
		After: int64(signature.After), AfterHash: signature.AfterHash,
	}
}

// linkOf ties a statement to what is signed already, where unsigned segments lie between.
// One that is signed again is tied to what it was tied to.
func linkOf(sealed v1alpha1.SealedHead, statement record.Statement) record.Link {
	switch segment := int64(statement.Segment); {
	case segment == sealed.Segment:
		return record.Link{After: int(sealed.After), AfterHash: sealed.AfterHash}
	case segment > sealed.Segment+1:
		return record.Link{After: int(sealed.Segment), AfterHash: sealed.Hash}
	}
	return record.Link{}
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
