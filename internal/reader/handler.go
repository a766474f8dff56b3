// Package reader serves recordings through the API server: it is an aggregated API
// server with one read-only subresource. The API server authenticates people, and is
// known by its client certificate; whether they may read is asked of it again, and
// each read is logged.
package reader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/reader/readerapi"
	"github.com/sallyport/sallyport/internal/record/store"
)

const (
	// requestLimit ends before the API server's own limit of a minute.
	requestLimit = 55 * time.Second
	askLimit     = 5 * time.Second
	// maxReads is how many reads may be under way at once.
	maxReads = 32
)

// Handler answers requests that the API server hands on.
type Handler struct {
	// Authenticate takes a caller's name from headers that the API server vouches for
	// with its client certificate.
	Authenticate authenticator.Request
	// Access asks the API server who may read what.
	Access AccessReviews
	// RequestUID finds the request that a name stands for now.
	RequestUID func(ctx context.Context, namespace, name string) (string, error)
	// Recordings opens the recordings of one request; fs.ErrNotExist if there are none.
	Recordings func(requestUID string) (Recordings, error)
	Log        logr.Logger

	reads chan struct{}
}

// AccessReviews is SubjectAccessReview, as in client-go's AuthorizationV1().
type AccessReviews interface {
	Create(ctx context.Context, review *authorizationv1.SubjectAccessReview, options metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error)
}

// Recordings are those of one request.
type Recordings interface {
	store.Legacy
	io.Closer
}

// New makes a handler; every exported field of h must be set.
func New(h Handler) *Handler {
	h.reads = make(chan struct{}, maxReads)
	return &h
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet {
		refuse(w, apierrors.NewMethodNotSupported(resource(), r.Method))
		return
	}
	if discover(w, r) {
		return
	}
	who, err := h.caller(r)
	if err != nil {
		h.Log.Info("refused a caller", "from", r.RemoteAddr, "reason", err.Error())
		refuse(w, apierrors.NewUnauthorized("this server takes requests from the API server alone"))
		return
	}
	what, err := parse(r.URL)
	if err != nil {
		refuse(w, err)
		return
	}
	select {
	case h.reads <- struct{}{}:
		defer func() { <-h.reads }()
	default:
		refuse(w, apierrors.NewTooManyRequests("too many recordings are being read: try again", 1))
		return
	}
	h.read(w, r, who, what)
}

func (h *Handler) read(w http.ResponseWriter, r *http.Request, who user.Info, what asked) {
	ctx, cancel := context.WithTimeout(r.Context(), requestLimit)
	defer cancel()
	log := h.Log.WithValues("user", who.GetName(), "namespace", what.namespace, "request", what.name)
	if err := h.authorise(ctx, who, what); err != nil {
		log.Info("refused a reader", "reason", err.Error())
		refuse(w, err)
		return
	}
	uid, err := h.RequestUID(ctx, what.namespace, what.name)
	if err != nil {
		if !apierrors.IsNotFound(err) {
			log.Error(err, "could not find a request")
			err = apierrors.NewServiceUnavailable("the request cannot be looked up now: try again")
		}
		refuse(w, err)
		return
	}
	log = log.WithValues("requestUID", uid, "session", what.session)
	recordings, err := h.Recordings(uid)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		recordings = nil
	case err != nil:
		log.Error(err, "could not open a request's recordings")
		refuse(w, apierrors.NewInternalError(errors.New("the recordings of this request cannot be opened")))
		return
	default:
		defer func() {
			if err := recordings.Close(); err != nil {
				log.Error(err, "could not close a request's recordings")
			}
		}()
	}
	if what.session == "" {
		h.list(ctx, w, recordings, uid, log)
		return
	}
	h.stream(ctx, w, recordings, what, log)
}

func (h *Handler) list(ctx context.Context, w http.ResponseWriter, recordings Recordings, uid string, log logr.Logger) {
	list := readerapi.RecordingList{
		TypeMeta:   metav1.TypeMeta{Kind: "RecordingList", APIVersion: readerapi.SchemeGroupVersion.String()},
		RequestUID: uid, Items: []readerapi.Recording{},
	}
	if recordings != nil {
		found, err := recordings.List(ctx)
		if err != nil {
			log.Error(err, "could not list a request's recordings")
			refuse(w, apierrors.NewInternalError(errors.New("the recordings of this request cannot be listed")))
			return
		}
		for _, r := range found {
			list.Items = append(list.Items, readerapi.Recording{Session: r.Session, Bytes: r.Bytes})
		}
	}
	log.Info("listed recordings", "recordings", len(list.Items))
	answer(w, http.StatusOK, list)
}

func (h *Handler) stream(ctx context.Context, w http.ResponseWriter, recordings Recordings, what asked, log logr.Logger) {
	recording, err := open(ctx, recordings, what)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			log.Error(err, "could not open a recording")
			refuse(w, apierrors.NewInternalError(errors.New("the recording cannot be opened")))
			return
		}
		refuse(w, apierrors.NewGenericServerResponse(http.StatusNotFound, "get", resource(), what.name,
			fmt.Sprintf("request %s has no recording of session %s", what.name, what.session), 0, true))
		return
	}
	defer func() {
		if err := recording.Close(); err != nil {
			log.Error(err, "could not close a recording")
		}
	}()
	w.Header().Set("Content-Type", "application/octet-stream")
	sent, err := io.Copy(w, io.LimitReader(recording, readerapi.MaxChunk))
	log.Info("read a recording", "offset", what.offset, "bytes", sent)
	if err != nil {
		log.Info("a read was cut short", "reason", err.Error())
		// The documented way to make the client see that this is not the end.
		panic(http.ErrAbortHandler)
	}
}

// open opens a recording at the offset asked for; past its end there is nothing to read.
func open(ctx context.Context, recordings Recordings, what asked) (io.ReadCloser, error) {
	if recordings == nil {
		return nil, fs.ErrNotExist
	}
	recording, err := recordings.Open(ctx, what.session)
	if err != nil {
		return nil, err
	}
	if seeker, ok := recording.(io.Seeker); ok {
		_, err = seeker.Seek(what.offset, io.SeekStart)
	} else if _, err = io.CopyN(io.Discard, recording, what.offset); errors.Is(err, io.EOF) {
		err = nil
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("go to byte %d of a recording: %w", what.offset, err), recording.Close())
	}
	return recording, nil
}

func resource() schema.GroupResource {
	return schema.GroupResource{Group: v1alpha1.GroupName, Resource: readerapi.Resource + "/" + readerapi.Subresource}
}
