package record

import "github.com/sallyport/sallyport/internal/record/store"

// settled says that the end which was read is signed, and that nothing behind it is. Such
// an end stands: a proxy may write to its session's folder for a while longer, and must
// not be able to spoil what was signed complete. It notes what lies there.
func (v *verification) settled() (bool, error) {
	o := &v.reader.objects
	end := v.reader.next - 1
	if v.summary.SignedSegment != end {
		return false, nil
	}
	if err := o.list(); err != nil {
		return false, err
	}
	for _, seal := range v.expect.Seals {
		if seal.Session == o.session && seal.Segment > end {
			return false, nil
		}
	}
	var behind []string
	for _, number := range o.numbers() {
		if number <= end {
			continue
		}
		if signed, err := v.proven(number); signed || err != nil {
			return false, err
		}
		for _, name := range []string{
			store.JournalName(o.session, number), store.SegmentName(o.session, number), store.SignatureName(o.session, number),
		} {
			if o.has(name) {
				behind = append(behind, objectName(name))
			}
		}
	}
	v.summary.Behind = behind
	return true, nil
}

// proven says whether a key that is trusted has signed a segment of this number, here. A
// signature of another one proves nothing of it: who writes here can copy it.
func (v *verification) proven(number int) (bool, error) {
	stored, err := v.reader.objects.signature(number)
	if stored == nil || err != nil {
		return false, err
	}
	signature, err := ParseSignature(stored)
	return err == nil && signature.Segment == number && signature.Session == v.reader.objects.session &&
		signature.RequestUID == v.reader.header.RequestUID && signature.Check(v.expect.Keys) == nil, nil
}
