package record

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/internal/record/store"
)

// signatures checks those of a sealed segment: the one beside it, and those that were
// kept elsewhere.
func (v *verification) signatures(s *segment) error {
	stored, err := v.reader.objects.signature(s.number)
	if err != nil {
		return err
	}
	if stored != nil {
		signature, err := v.beside(s, stored)
		if err != nil {
			return err
		}
		if err := v.holds(s, signature); err != nil {
			return err
		}
	}
	for _, seal := range v.expect.Seals {
		if seal.Session != s.header.Session || seal.Segment != s.number {
			continue
		}
		if err := v.holds(s, seal); err != nil {
			return err
		}
	}
	return nil
}

// beside reads the signature that is stored beside a segment.
func (v *verification) beside(s *segment, stored []byte) (Signature, error) {
	name := store.SignatureName(s.header.Session, s.number)
	corrupt := &CorruptError{Kind: Flip, Segment: s.number, Object: objectName(name)}
	signature, err := ParseSignature(stored)
	request := v.reader.header.RequestUID
	if request == "" {
		request = s.header.RequestUID
	}
	switch {
	case err != nil:
		corrupt.Reason = err.Error()
	case signature.Session != s.header.Session || signature.RequestUID != request:
		corrupt.Kind, corrupt.Reason = Foreign, fmt.Sprintf("its signature is of session %s", signature.Session)
	case signature.Segment != s.number:
		corrupt.Kind, corrupt.Reason = Reorder, fmt.Sprintf("the signature of segment %d is in its place", signature.Segment)
		if other, err := v.reader.objects.signature(signature.Segment); err == nil && bytes.Equal(other, stored) {
			corrupt.Kind = Duplicate
		}
	default:
		return signature, nil
	}
	return signature, corrupt
}

// holds checks one signature against its segment.
func (v *verification) holds(s *segment, signature Signature) error {
	if len(v.expect.Keys) > 0 {
		if err := signature.Check(v.expect.Keys); err != nil {
			return &CorruptError{
				Kind: Unproven, Segment: s.number, Object: objectName(store.SignatureName(s.header.Session, s.number)), Reason: err.Error(),
			}
		}
	}
	if signature.Hash != s.hash.String() {
		return v.reader.objects.diagnose(s, 0, s.header.First, Rewrite, errors.New("these are not the bytes that were signed"))
	}
	if signature.First != s.header.First || signature.Previous != s.header.Previous || signature.Bytes != int64(len(s.object)) {
		return v.reader.objects.diagnose(s, 0, s.header.First, Rewrite, errors.New("its signature says otherwise of it"))
	}
	if signature.After > 0 && signature.AfterHash != v.hashes[signature.After] {
		return &CorruptError{
			Kind: Rewrite, Segment: signature.After, Object: objectName(store.SegmentName(s.header.Session, signature.After)),
			Reason: fmt.Sprintf("these are not the bytes that were signed before segment %d was", s.number),
		}
	}
	s.last, s.complete = signature.Last, signature.Complete
	v.summary.Keys = append(v.summary.Keys, signature.Key)
	if len(v.expect.Keys) > 0 {
		v.summary.SignedSegment, v.summary.SignedEvent = s.number, signature.Last
	}
	return nil
}
