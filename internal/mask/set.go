package mask

import (
	"slices"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Set is a policy's compiled masking. It is immutable and safe for concurrent use;
// a nil *Set masks nothing and finds nothing.
type Set struct {
	columns   map[columnName]Mask
	relations []Relation
	inference bool

	detectors []detector
	patterns  []pattern
	anchors   anchors
}

// Relation is the name of a table or view.
type Relation struct{ Schema, Name string }

type columnName struct{ schema, relation, column string }

// detector is one of the policy's detectors; a Span's Detector is its index.
type detector struct {
	name   string
	detect v1alpha1.Detect
	mask   Mask
}

// WithKey returns the same set with key for How Hash: equal values have equal hashes
// under one key, and without the key nothing can be told from a hash. Without a key
// Hash redacts.
func (s *Set) WithKey(key []byte) *Set {
	if s == nil {
		return nil
	}
	keyed := *s
	h := newHasher(key)
	keyed.columns = make(map[columnName]Mask, len(s.columns))
	for name, m := range s.columns {
		m.hasher = h
		keyed.columns[name] = m
	}
	keyed.detectors = slices.Clone(s.detectors)
	for i := range keyed.detectors {
		keyed.detectors[i].mask.hasher = h
	}
	return &keyed
}

// Column is the mask of a column, if it has one. Names are as the catalog has them.
func (s *Set) Column(schema, relation, column string) (Mask, bool) {
	if s == nil {
		return Mask{}, false
	}
	m, ok := s.columns[columnName{schema, relation, column}]
	return m, ok
}

// HasColumns says whether any column is masked.
func (s *Set) HasColumns() bool { return s != nil && len(s.columns) > 0 }

// Relations lists the relations that have masked columns, sorted, each once.
// The slice is shared: callers do not change it.
func (s *Set) Relations() []Relation {
	if s == nil {
		return nil
	}
	return s.relations
}

// InferenceAllowed says whether masked columns may stand in predicates.
func (s *Set) InferenceAllowed() bool { return s == nil || s.inference }

// Detects says whether any detector is configured.
func (s *Set) Detects() bool { return s != nil && len(s.detectors) > 0 }

// DetectorMask is the mask of a Span's Detector.
func (s *Set) DetectorMask(index int) Mask { return s.detectors[index].mask }
