// Package reader serves recordings through the API server: it is an aggregated API
// server with one read-only subresource. The API server authenticates people, and is
// known by its client certificate; whether they may read is asked of it again, and
// each read is audited.
package reader

import (
	"context"
	"errors"
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
	"github.com/sallyport/sallyport/internal/audit"
	"github.com/sallyport/sallyport/internal/reader/readerapi"
)

const (
	// requestLimit ends before the API server's own limit of a minute.
	requestLimit = 55 * time.Second
	askLimit     = 5 * time.Second
)

// Handler answers requests that the API server hands on.
type Handler struct {
	// Authenticate takes a caller's name from headers that the API server vouches for
	// with its client certificate.
	Authenticate authenticator.Request
	// Access asks the API server who may read what.
	Access AccessReviews
	// Request finds the request that a name stands for now.
	Request func(ctx context.Context, namespace, name string) (Request, error)
	// Known finds what was written down of a request when it began, whether it is still
	// there or not; a NotFound of the API's if nothing was.
	Known func(ctx context.Context, uid string) (Request, error)
	// Recordings opens the recordings of one request; fs.ErrNotExist if there are none.
	Recordings func(ctx context.Context, request Request) (Recordings, error)
	// Keys are the public keys that recordings are signed with, PEM.
	Keys func() ([]string, error)
	// Audit takes every read, and every refusal.
	Audit audit.Sink
	Now   func() time.Time
	Log   logr.Logger

	reads *reads
}

// Request is whose recordings are read.
type Request struct {
	UID string
	// Namespace and Name that it has, or had.
	Namespace, Name string
	// Store by name that the request says; empty if that is not known.
	Store string
	// Removed is when retention removed the recordings; zero if it has not.
	Removed time.Time
}

// AccessReviews is SubjectAccessReview, as in client-go's AuthorizationV1().
type AccessReviews interface {
	Create(ctx context.Context, review *authorizationv1.SubjectAccessReview, options metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error)
}

// New makes a handler; every exported field of h must be set.
func New(h Handler) *Handler {
	h.reads = &reads{}
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
	if !h.reads.begin(who.GetName()) {
		refuse(w, apierrors.NewTooManyRequests("too many recordings are being read: try again", 1))
		return
	}
	defer h.reads.end(who.GetName())
	ctx, cancel := context.WithTimeout(r.Context(), requestLimit)
	defer cancel()
	h.read(ctx, w, who, what)
}

// read answers a caller whom the API server vouches for.
func (h *Handler) read(ctx context.Context, w http.ResponseWriter, who user.Info, what asked) {
	log := h.Log.WithValues("user", who.GetName(), "namespace", what.namespace, "request", what.subject())
	// Deferred, so that a read which ends in a panic is audited as well.
	trail := newAudited(who, what)
	defer h.audit(&trail)
	if err := h.authorise(ctx, who, what); err != nil {
		log.Info("refused a reader", "reason", err.Error())
		trail.read.Refused = err.Error()
		refuse(w, err)
		return
	}
	request, err := h.find(ctx, what)
	if err != nil {
		if !apierrors.IsNotFound(err) {
			log.Error(err, "could not find a request")
			err = apierrors.NewServiceUnavailable("the request cannot be looked up now: try again")
		}
		trail.read.Refused = err.Error()
		refuse(w, err)
		return
	}
	trail.subject = audit.Subject{Namespace: request.Namespace, Request: request.Name, UID: request.UID}
	log = log.WithValues("requestUID", request.UID, "session", what.session)
	recordings, err := h.open(ctx, request)
	if err != nil {
		log.Error(err, "could not open a request's recordings")
		trail.read.Refused = "the recordings could not be opened"
		refuse(w, apierrors.NewServiceUnavailable("the recordings of this request cannot be opened now: "+reasonFor(err)))
		return
	}
	defer func() {
		if err := recordings.Close(); err != nil {
			log.Error(err, "could not close a request's recordings")
		}
	}()
	switch {
	case what.session == "":
		h.sessions(ctx, w, recordings, request, log)
	case what.object == "":
		h.objects(ctx, w, recordings, request, what, log)
	default:
		h.stream(ctx, w, recordings, what, &trail, log)
	}
}

// find finds whose recordings are meant. By name and UID, what was written down must
// say that this request had this name: the right to the name is not one to every UID.
func (h *Handler) find(ctx context.Context, what asked) (Request, error) {
	if what.uid == "" {
		return h.Request(ctx, what.namespace, what.name)
	}
	known, err := h.Known(ctx, what.uid)
	switch {
	case err != nil && what.name == "" && apierrors.IsNotFound(err):
		// Nothing was written down, but a store may have something.
		return Request{UID: what.uid}, nil
	case err != nil:
		return Request{}, err
	case known.UID != what.uid || what.name != "" && (known.Namespace != what.namespace || known.Name != what.name):
		return Request{}, apierrors.NewGenericServerResponse(http.StatusNotFound, "get", resource(), what.name,
			"no request of this name had this UID", 0, true)
	}
	return known, nil
}

func resource() schema.GroupResource {
	return schema.GroupResource{Group: v1alpha1.GroupName, Resource: readerapi.Resource + "/" + readerapi.Subresource}
}

// reasonFor is what a caller may know of a failure: its kind. The log has its words.
func reasonFor(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "its store does not answer"
	}
	return "the reader's log says why"
}
