// Package recording is where the plugin's verbs read recordings: through the API
// server, or from a folder or a tar file, offline. All are a store.Reader.
package recording

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/task"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

// Source says whose recordings a verb reads.
type Source struct {
	Factory *kube.Factory
	// Name of a request. UID is of one that may be gone, with or without the name it had.
	Name, UID string
	// From is a folder or a tar file with recordings, in place of the cluster.
	From string
	// Session of the request; all without it.
	Session string
	// Identities are files with age identities, for encrypted recordings.
	Identities []string
}

// Validate asks for something to read, in the words of the verb.
func (s *Source) Validate(verb string) error {
	if s.Name == "" && s.UID == "" && s.From == "" {
		return fmt.Errorf("say what to %s: a request's name, --uid, or --from with a folder or a tar file", verb)
	}
	return nil
}

// Opened is the recordings that a Source names.
type Opened struct {
	// Tasks are one, or, of a folder or a tar file, as many as there are in it.
	Tasks      []*Task
	Identities []age.Identity

	close func() error
}

// Close releases files.
func (o *Opened) Close() error {
	if o.close == nil {
		return nil
	}
	return o.close()
}

// Task is the recordings of one request.
type Task struct {
	store.Reader
	// Label is what to call it: the request's name, its UID, or the folder.
	Label string
	// Request as it stands; nil if it is gone, or the recordings came from a folder and
	// no request was named.
	Request *v1alpha1.TaskAccessRequest
	// UID of the request; empty if it is not known from elsewhere than the recordings.
	UID string
	// Keys that recordings are signed with, as the cluster publishes them.
	Keys []ed25519.PublicKey
	// Where they are, in words: "store volume", "folder x".
	Where string
	// Removed is when retention removed them; zero if it has not.
	Removed time.Time
}

// Open opens what the Source names.
func (s *Source) Open(ctx context.Context) (*Opened, error) {
	identities, err := ReadIdentities(s.Identities)
	if err != nil {
		return nil, err
	}
	o := &Opened{Identities: identities}
	var request *v1alpha1.TaskAccessRequest
	if s.Name != "" && s.UID == "" {
		c, namespace, err := s.Factory.ClientIn()
		if err != nil {
			return nil, err
		}
		// Before its recordings: what its heads say is then in them.
		if request, err = task.Find(ctx, c, namespace, s.Name); err != nil {
			return nil, err
		}
	}
	if s.From != "" {
		return o, s.archive(ctx, o, request)
	}
	opened, err := s.OfRequest(ctx, request)
	if err != nil {
		return nil, err
	}
	o.Tasks = []*Task{opened}
	return o, nil
}

// OfRequest is the recordings of a request; without one, those of the Source's UID.
func (s *Source) OfRequest(ctx context.Context, request *v1alpha1.TaskAccessRequest) (*Task, error) {
	config, err := s.Factory.Config()
	if err != nil {
		return nil, err
	}
	t := &Task{Label: s.UID, UID: s.UID}
	var api *API
	if request != nil {
		t.Label, t.UID, t.Request = request.Name, string(request.UID), request
		api, err = Of(config, request.Namespace, request.Name)
	} else {
		var namespace string
		if namespace, err = s.Factory.Namespace(); err != nil {
			return nil, err
		}
		api, err = OfUID(config, namespace, s.Name, s.UID)
	}
	if err != nil {
		return nil, err
	}
	about, err := api.About(ctx)
	if err != nil {
		return nil, err
	}
	if about.RequestUID != t.UID {
		return nil, fmt.Errorf("the recordings of %s are another request's now: it was deleted and made anew", t.Label)
	}
	t.Reader, t.Where = api, "store "+about.Store
	if about.Removed != nil {
		t.Removed = about.Removed.Time
	}
	if t.Keys, err = ParseKeys([]byte(strings.Join(about.Keys, "\n"))); err != nil {
		return nil, fmt.Errorf("the public keys that the cluster publishes: %w", err)
	}
	return t, nil
}

// OpenAll opens the recordings of the requests of the namespace that are wanted, the
// oldest first. One that cannot be opened is among the failures, and keeps no other back.
func (s *Source) OpenAll(ctx context.Context, wanted func(*v1alpha1.TaskAccessRequest) bool) (o *Opened, failed []error, err error) {
	identities, err := ReadIdentities(s.Identities)
	if err != nil {
		return nil, nil, err
	}
	c, namespace, err := s.Factory.ClientIn()
	if err != nil {
		return nil, nil, err
	}
	list := &v1alpha1.TaskAccessRequestList{}
	if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, nil, err
	}
	slices.SortStableFunc(list.Items, func(a, b v1alpha1.TaskAccessRequest) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	o = &Opened{Identities: identities}
	for i := range list.Items {
		if !wanted(&list.Items[i]) {
			continue
		}
		t, err := s.OfRequest(ctx, &list.Items[i])
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", list.Items[i].Name, err))
			continue
		}
		o.Tasks = append(o.Tasks, t)
	}
	if len(o.Tasks) == 0 && len(failed) > 0 {
		return nil, nil, failed[0]
	}
	return o, failed, nil
}

// uid is how Kubernetes writes one (RFC 9562).
var uid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func (s *Source) archive(ctx context.Context, o *Opened, request *v1alpha1.TaskAccessRequest) error {
	archive, err := OpenArchive(ctx, s.From)
	if err != nil {
		return err
	}
	o.close = archive.Close
	for _, folder := range archive.Tasks {
		t := &Task{Reader: folder.Reader, Label: folder.Name, Where: s.From, UID: s.UID}
		if folder.Name == "." {
			t.Label = s.From
		}
		if base := filepath.Base(t.Label); t.UID == "" && uid.MatchString(base) {
			t.UID = base // as the volume names it
		}
		if request != nil {
			t.Request, t.UID = request, string(request.UID)
		}
		o.Tasks = append(o.Tasks, t)
	}
	if t := o.Tasks; (request != nil || s.UID != "") && len(t) > 1 {
		// Of a whole volume, the folder that is named by the request.
		wanted := t[0].UID
		o.Tasks = slices.DeleteFunc(t, func(t *Task) bool { return filepath.Base(t.Label) != wanted })
	}
	if len(o.Tasks) == 0 {
		return errors.Join(fmt.Errorf("%s has no recordings of this request", s.From), archive.Close())
	}
	return nil
}

// None says why there are no recordings.
func (t *Task) None() error {
	if !t.Removed.IsZero() {
		return fmt.Errorf("the recordings of %s were removed at %s, when their retention was over", t.Label, t.Removed.UTC().Format(time.RFC3339))
	}
	return fmt.Errorf("%s has no recordings: nobody has connected", t.Label)
}

// Choose is the sessions to read: the one named, or all.
func (t *Task) Choose(ctx context.Context, session string) ([]string, error) {
	sessions, err := t.Sessions(ctx)
	switch {
	case err != nil:
		return nil, err
	case session == "":
		return sessions, nil
	case slices.Contains(sessions, session):
		return []string{session}, nil
	}
	return nil, fmt.Errorf("%s has no session %s: see kubectl access sessions", t.Label, record.PrintableLine(session))
}

// Events opens a session's recording.
func (o *Opened) Events(ctx context.Context, t *Task, session string) (*record.Reader, error) {
	return record.Open(ctx, t, session, record.ReadOptions{Identities: o.Identities})
}
