package evidence

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// documents are the parts of a bundle that are not recordings.
type documents struct {
	Request v1alpha1.TaskAccessRequest
	Policy  *v1alpha1.AccessPolicy
	Target  *v1alpha1.AccessTarget
	// policyChanged and targetChanged say that these are not what the reviewers saw.
	policyChanged, targetChanged bool
	// fromRecording is what they saw, where a recording has that.
	fromRecording *v1alpha1.AccessPolicy
	Reviews       []v1alpha1.ApprovalReview
	Events        []Event
	Keys          []ed25519.PublicKey
	Notes         []string
	Created       time.Time
}

// review is the review of the request itself; nil if it is not there.
func (b *documents) review() *v1alpha1.ApprovalReview {
	for i := range b.Reviews {
		if b.Reviews[i].Spec.Question.Subject.Kind == v1alpha1.SubjectRequest && b.Reviews[i].Name == b.Request.Status.Review {
			return &b.Reviews[i]
		}
	}
	return nil
}

// held is a review of a held operation by its name; nil if it is not there.
func (b *documents) held(name string) *v1alpha1.ApprovalReview {
	for i := range b.Reviews {
		if b.Reviews[i].Spec.Question.Subject.Kind == v1alpha1.SubjectStatement && b.Reviews[i].Name == name {
			return &b.Reviews[i]
		}
	}
	return nil
}

func (b *documents) write(w *tarWriter) error {
	if err := w.document(requestFile, b.Request); err != nil {
		return err
	}
	if b.Policy != nil {
		name := b.policyName()
		b.policyChanged = name == policyNowFile
		if err := w.document(name, b.Policy); err != nil {
			return err
		}
	}
	if b.Target != nil {
		name := b.targetName()
		b.targetChanged = name == targetNowFile
		if err := w.document(name, b.Target); err != nil {
			return err
		}
	}
	held := 0
	for i := range b.Reviews {
		name := requestReview
		if review := b.review(); review == nil || review.Name != b.Reviews[i].Name {
			held++
			name = fmt.Sprintf(heldReview, held)
		}
		if err := w.document(name, b.Reviews[i]); err != nil {
			return err
		}
	}
	if b.Events == nil {
		b.Events = []Event{}
	}
	return w.document(eventsFile, b.Events)
}

// load reads what write wrote. What is not in the bundle is not in the result.
func load(bundle fs.FS, m Manifest) (*documents, error) {
	b := &documents{Notes: m.Notes, Created: m.Created}
	errs := []error{readJSON(bundle, requestFile, &b.Request), readJSON(bundle, eventsFile, &b.Events)}
	for _, file := range m.Files {
		switch name := file.Name; {
		case name == policyFile, name == policyNowFile:
			b.Policy, b.policyChanged = &v1alpha1.AccessPolicy{}, name == policyNowFile
			errs = append(errs, readJSON(bundle, name, b.Policy))
		case name == targetFile, name == targetNowFile:
			b.Target, b.targetChanged = &v1alpha1.AccessTarget{}, name == targetNowFile
			errs = append(errs, readJSON(bundle, name, b.Target))
		case strings.HasPrefix(name, reviewsFolder+"/"):
			review := v1alpha1.ApprovalReview{}
			errs = append(errs, readJSON(bundle, name, &review))
			b.Reviews = append(b.Reviews, review)
		case strings.HasPrefix(name, "keys/"):
			content, err := readFile(bundle, name)
			if err == nil {
				var key ed25519.PublicKey
				key, err = parseKey(content)
				b.Keys = append(b.Keys, key)
			}
			errs = append(errs, err)
		}
	}
	b.sort()
	return b, errors.Join(errs...)
}

// sort puts reviews in the order in which they were opened.
func (b *documents) sort() {
	slices.SortFunc(b.Reviews, func(x, y v1alpha1.ApprovalReview) int {
		if c := x.CreationTimestamp.Compare(y.CreationTimestamp.Time); c != 0 {
			return c
		}
		return strings.Compare(x.Name, y.Name)
	})
}

var errKey = errors.New("no Ed25519 public key in PEM (PKIX)")

func parseKey(content []byte) (ed25519.PublicKey, error) {
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, errKey
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, errors.Join(errKey, err)
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, errKey
	}
	return key, nil
}
