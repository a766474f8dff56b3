package evidence

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/digest"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

// Write writes a bundle, and returns the SHA-256 of its manifest in hex: who keeps or
// signs that, keeps or signs the whole bundle.
func Write(ctx context.Context, out Output, m Material) (string, error) {
	w := newTarWriter(out)
	b := &documents{
		Request: *m.Request, Reviews: slices.Clone(m.Reviews), Events: slices.Clone(m.Events), Notes: slices.Clone(m.Notes),
		Created: m.Created.UTC(), Policy: m.Policy, Target: m.Target,
	}
	b.normalise()
	if err := b.write(w); err != nil {
		return "", err
	}
	for _, key := range m.Keys {
		if err := writeKey(w, key); err != nil {
			return "", err
		}
	}
	if err := copyRecordings(ctx, w, m.Recordings); err != nil {
		return "", err
	}
	// The report is about what is in the bundle, not about what was read for it.
	recordings, err := fs.Sub(w.written, recordingsFolder)
	if err != nil {
		return "", err
	}
	facts, err := gather(ctx, present{store.FS(recordings)}, m.Keys, m.Identities)
	if err != nil {
		return "", err
	}
	if err := w.document(factsFile, facts); err != nil {
		return "", err
	}
	if err := b.report(w, facts); err != nil {
		return "", err
	}
	content, err := encode(b.manifest(w))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), errors.Join(w.file(manifestFile, content), w.out.Close())
}

func (b *documents) report(w *tarWriter, facts Facts) error {
	page := b.describe(facts)
	return errors.Join(w.file(markdownFile, page.markdown()), w.file(pageFile, page.html()))
}

func (b *documents) manifest(w *tarWriter) Manifest {
	return Manifest{
		Format: format, Version: version, Report: reportVersion, Created: b.Created, Notes: b.Notes, Files: w.listed(),
		Request: Identity{b.Request.Namespace, b.Request.Name, string(b.Request.UID)},
	}
}

func writeKey(w *tarWriter, key ed25519.PublicKey) error {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return fmt.Errorf("encode a public key: %w", err)
	}
	return w.file(fmt.Sprintf(keyFile, record.KeyID(key)), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// passes is how often recordings are listed: a session that runs gets objects while
// others are copied.
const passes = 3

// copyRecordings copies all objects. Journals come last, and only as far as they go: the
// open part of a session that runs.
func copyRecordings(ctx context.Context, w *tarWriter, from store.Reader) error {
	done := map[string]bool{}
	for pass := range passes {
		sessions, err := from.Sessions(ctx)
		if err != nil {
			return fmt.Errorf("list the recordings: %w", err)
		}
		for _, session := range sessions {
			objects, err := from.List(ctx, session)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return fmt.Errorf("list the recording of session %s: %w", session, err)
			}
			for _, object := range objects {
				name, err := store.ParseName(object.Name)
				if err != nil || done[object.Name] || name.Kind == store.KindJournal && pass < passes-1 {
					continue
				}
				err = copyObject(ctx, w, from, object)
				if errors.Is(err, fs.ErrNotExist) && name.Kind == store.KindJournal {
					continue // sealed meanwhile: what is missing is told by the recording's head
				}
				if err != nil {
					return err
				}
				done[object.Name] = true
			}
		}
	}
	return nil
}

func copyObject(ctx context.Context, w *tarWriter, from store.Reader, object store.Object) (err error) {
	content, err := from.Open(ctx, object.Name, 0)
	if err != nil {
		return fmt.Errorf("read %s: %w", object.Name, err)
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	name := recordingsFolder + "/" + object.Name
	if parsed, err := store.ParseName(object.Name); err == nil && parsed.Kind == store.KindJournal {
		// It may end while it is read.
		journal, err := io.ReadAll(io.LimitReader(content, maxDocument))
		if err != nil {
			return fmt.Errorf("read %s: %w", object.Name, err)
		}
		return w.file(name, journal)
	}
	return w.stream(name, object.Size, content)
}

// normalise leaves out what is not the objects' own, and puts lists in order, so that the
// same material makes the same bundle.
func (b *documents) normalise() {
	strip(&b.Request.ObjectMeta)
	b.Request.TypeMeta = typed("TaskAccessRequest")
	if b.Policy != nil {
		b.Policy = b.Policy.DeepCopy()
		strip(&b.Policy.ObjectMeta)
		b.Policy.TypeMeta = typed("AccessPolicy")
	}
	if b.Target != nil {
		b.Target = b.Target.DeepCopy()
		strip(&b.Target.ObjectMeta)
		b.Target.TypeMeta = typed("AccessTarget")
	}
	for i := range b.Reviews {
		strip(&b.Reviews[i].ObjectMeta)
		b.Reviews[i].TypeMeta = typed("ApprovalReview")
	}
	b.sort()
	slices.SortStableFunc(b.Events, func(x, y Event) int { return x.Time.Compare(y.Time) })
	for i := range b.Events {
		b.Events[i].Time = b.Events[i].Time.UTC()
	}
}

func typed(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: kind}
}

func strip(meta *metav1.ObjectMeta) { meta.ManagedFields = nil }

// policyName and targetName are the files of objects: those that are not any more what
// the reviewers saw have another name.
func (b *documents) policyName() string {
	if bound := b.Request.Status.Policy; bound != nil && *bound != digest.BindPolicy(b.Policy) {
		return policyNowFile
	}
	return policyFile
}

func (b *documents) targetName() string {
	if bound := b.Request.Status.Target; bound != nil && *bound != digest.BindTarget(b.Target) {
		return targetNowFile
	}
	return targetFile
}
