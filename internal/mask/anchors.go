package mask

import "github.com/sallyport/sallyport/api/v1alpha1"

// Every value that a detector finds has an anchor: a byte at which it is looked for,
// the rarest that its form must have (the @ of an address, the J of eyJ). All other
// bytes are passed over by one look-up in a table, which has no anchors of detectors
// that are not configured.
type anchor uint8

const (
	none anchor = iota
	digit
	at
	percent
	colon
	plus
	literal
)

type anchors struct {
	of       [256]anchor
	literals [256][]form
	// runs has, by length, whether any detector begins with such a run of digits.
	runs [longestRun + 1]bool

	card, email, phone, iban, national, ip, jwt, privateKey, cloudKey index
}

// longestRun of digits that any value begins with: a payment card.
const longestRun = 19

// index of a detector in the policy, plus one; 0 is not configured.
type index int

// form is a value told by a literal in it, at whose byte number anchor it is looked for.
type form struct {
	literal string
	anchor  int
	kind    kind
	body    body
}

// kind of a form: how it is looked for. Function values in its place would make every
// finder escape to the heap.
type kind uint8

const (
	providerKey kind = iota
	awsKey
	awsSecret
	entraSecret
	ageKey
	armour
	keyFile
	token
	kinds
)

// configure sets up the anchors of one detector.
func (a *anchors) configure(detect v1alpha1.Detect, i index) {
	digits := false
	switch detect {
	case v1alpha1.DetectPaymentCard:
		a.card, digits = i, true
		a.longRuns(4, 4)
		a.longRuns(13, 19)
	case v1alpha1.DetectEmail:
		a.email = i
		a.of['@'], a.of['%'] = at, percent
	case v1alpha1.DetectPhone:
		a.phone, digits = i, true
		a.of['+'] = plus
		a.longRuns(2, 5)
	case v1alpha1.DetectIBAN:
		a.iban, digits = i, true
		a.longRuns(2, longestRun)
	case v1alpha1.DetectNationalID:
		a.national, digits = i, true
		a.longRuns(1, 3)
		a.longRuns(6, 15)
	case v1alpha1.DetectIPAddress:
		a.ip, digits = i, true
		a.of[':'] = colon
		a.longRuns(1, 3)
	case v1alpha1.DetectJWT:
		a.jwt = i
		a.literal(jwtForm)
	case v1alpha1.DetectPrivateKey:
		a.privateKey = i
		a.literal(privateKeyForms...)
	case v1alpha1.DetectCloudKey:
		a.cloudKey = i
		a.literal(cloudKeyForms...)
	case v1alpha1.DetectPattern:
	}
	if digits {
		for c := '0'; c <= '9'; c++ {
			a.of[c] = digit
		}
	}
}

func (a *anchors) longRuns(from, to int) {
	for n := from; n <= to; n++ {
		a.runs[n] = true
	}
}

func (a *anchors) literal(forms ...form) {
	for _, l := range forms {
		c := l.literal[l.anchor]
		a.of[c] = literal
		a.literals[c] = append(a.literals[c], l)
	}
}
