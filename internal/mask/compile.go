package mask

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// Compile checks a policy's masking and makes it ready for use. An error names the
// field, as seen from the policy's spec, and says what to do.
func Compile(spec v1alpha1.MaskingPolicy) (*Set, error) {
	s := &Set{columns: make(map[columnName]Mask, len(spec.Columns))}
	switch spec.Inference {
	case v1alpha1.InferenceAllowed:
		s.inference = true
	case v1alpha1.InferenceRefused, "":
	default:
		return nil, fmt.Errorf("masking.inference: %q is unknown: use Refused or Allowed", spec.Inference)
	}
	if err := s.compileColumns(spec.Columns); err != nil {
		return nil, err
	}
	if err := s.compileDetectors(spec.Detectors); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Set) compileColumns(columns []v1alpha1.ColumnMask) error {
	for i, c := range columns {
		name := columnName{cmp.Or(c.Schema, "public"), c.Relation, c.Column}
		switch {
		case c.Relation == "":
			return fmt.Errorf("masking.columns[%d].relation: name the table that has the column", i)
		case c.Column == "":
			return fmt.Errorf("masking.columns[%d].column: name the column to mask", i)
		}
		if _, twice := s.columns[name]; twice {
			return fmt.Errorf("masking.columns[%d]: %s.%s.%s is masked already: name each column once",
				i, name.schema, name.relation, name.column)
		}
		m, err := compileMask(c.Mask)
		if err != nil {
			return fmt.Errorf("masking.columns[%d].mask.%w", i, err)
		}
		m.Reason = "column " + name.schema + "." + name.relation + "." + name.column
		s.columns[name] = m
		s.relations = append(s.relations, Relation{name.schema, name.relation})
	}
	slices.SortFunc(s.relations, func(a, b Relation) int {
		return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Name, b.Name))
	})
	s.relations = slices.Compact(s.relations)
	return nil
}

// compileMask checks one mask. An error begins with the field inside the mask.
func compileMask(spec v1alpha1.Mask) (Mask, error) {
	m := Mask{How: cmp.Or(spec.How, v1alpha1.MaskRedact)}
	switch m.How {
	case v1alpha1.MaskRedact, v1alpha1.MaskHash, v1alpha1.MaskNull:
	case v1alpha1.MaskPartial:
		if spec.KeepLast < 1 || spec.KeepLast > 16 {
			return Mask{}, fmt.Errorf("keepLast: %d characters cannot be kept: Partial keeps 1 to 16", spec.KeepLast)
		}
		m.KeepLast = int(spec.KeepLast)
	case v1alpha1.MaskConstant:
		if spec.Constant == nil {
			return Mask{}, fmt.Errorf("constant: Constant needs the value to put in place: set it, or use Redact")
		}
		m.Constant = *spec.Constant
	default:
		return Mask{}, fmt.Errorf("how: %q is unknown: use Redact, Partial, Hash, Null or Constant", spec.How)
	}
	return m, nil
}

// compileDetectors checks the detectors. Each form is detected once: a second detector
// of it would never have anything to mask.
func (s *Set) compileDetectors(detectors []v1alpha1.DetectorMask) error {
	for _, d := range detectors {
		if err := s.compileDetector(d); err != nil {
			return fmt.Errorf("masking.detectors[%s].%w", d.Name, err)
		}
	}
	return s.checkConstants()
}

// compileDetector adds one detector. An error begins with the field inside it.
func (s *Set) compileDetector(d v1alpha1.DetectorMask) error {
	if d.Name == "" {
		return fmt.Errorf("name: give the detector a name: the recording tells it")
	}
	for _, other := range s.detectors {
		if other.name == d.Name {
			return fmt.Errorf("name: %q is taken by another detector: choose another", d.Name)
		}
		if other.detect == d.Detect && d.Detect != v1alpha1.DetectPattern {
			return fmt.Errorf("detect: %s is detected by %q already: keep one of the two", d.Detect, other.name)
		}
	}
	i := index(len(s.detectors) + 1)
	switch d.Detect {
	case v1alpha1.DetectPaymentCard, v1alpha1.DetectEmail, v1alpha1.DetectPhone, v1alpha1.DetectIBAN,
		v1alpha1.DetectNationalID, v1alpha1.DetectIPAddress, v1alpha1.DetectJWT, v1alpha1.DetectPrivateKey,
		v1alpha1.DetectCloudKey:
		if d.Pattern != "" {
			return fmt.Errorf("pattern: %s has a form of its own: remove the pattern, or use detect: Pattern", d.Detect)
		}
		s.anchors.configure(d.Detect, i)
	case v1alpha1.DetectPattern:
		p, err := compilePattern(d.Pattern)
		if err != nil {
			return fmt.Errorf("pattern: %w", err)
		}
		p.detector = i
		s.patterns = append(s.patterns, p)
	default:
		return fmt.Errorf("detect: %q is unknown: use PaymentCard, Email, Phone, IBAN, NationalID, IPAddress, "+
			"JWT, PrivateKey, CloudKey or Pattern", d.Detect)
	}
	m, err := compileMask(d.Mask)
	if err != nil {
		return fmt.Errorf("mask.%w", err)
	}
	m.Reason = "detector " + d.Name
	s.detectors = append(s.detectors, detector{name: d.Name, detect: d.Detect, mask: m})
	return nil
}

// checkConstants refuses a constant that would be found and masked again.
func (s *Set) checkConstants() error {
	for _, d := range s.detectors {
		if found := s.Find([]byte(d.mask.Constant), nil); len(found) > 0 {
			return fmt.Errorf("masking.detectors[%s].mask.constant: detector %q finds it: choose a value that no detector finds",
				d.name, s.detectors[found[0].Detector].name)
		}
	}
	return nil
}
