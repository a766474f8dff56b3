package reader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/internal/reader/readerapi"
	"github.com/sallyport/sallyport/internal/record/store"
)

// Recordings are those of one request.
type Recordings interface {
	store.Reader
	io.Closer
	// Store is the name of the store that holds them.
	Store() string
}

// open opens a request's recordings; there may be none.
func (h *Handler) open(ctx context.Context, request Request) (Recordings, error) {
	recordings, err := h.Recordings(ctx, request)
	if errors.Is(err, fs.ErrNotExist) {
		return none{}, nil
	}
	return recordings, err
}

// sessions lists the sessions that have a recording, and the keys to check them with.
func (h *Handler) sessions(ctx context.Context, w http.ResponseWriter, recordings Recordings, request Request, log logr.Logger) {
	sessions, err := recordings.Sessions(ctx)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Error(err, "could not list a request's recordings")
		refuse(w, apierrors.NewServiceUnavailable("the recordings of this request cannot be listed now: "+reasonFor(err)))
		return
	}
	keys, err := h.Keys()
	if err != nil {
		// Whoever holds the keys can verify nonetheless.
		log.Error(err, "could not read the public keys of recordings")
	}
	list := readerapi.RecordingList{
		TypeMeta:   metav1.TypeMeta{Kind: "RecordingList", APIVersion: readerapi.SchemeGroupVersion.String()},
		RequestUID: request.UID, Store: recordings.Store(), Items: []readerapi.Recording{}, Keys: keys,
	}
	if len(sessions) == 0 {
		list.Removed = h.removed(ctx, request)
	}
	for _, session := range sessions {
		list.Items = append(list.Items, readerapi.Recording{Session: session})
	}
	log.Info("listed recordings", "recordings", len(list.Items))
	answer(w, http.StatusOK, list)
}

// removed is when retention removed a request's recordings; nil if it has not, or nobody
// knows.
func (h *Handler) removed(ctx context.Context, request Request) *metav1.Time {
	known, err := h.Known(ctx, request.UID)
	if err != nil || known.Removed.IsZero() {
		return nil
	}
	return &metav1.Time{Time: known.Removed}
}

// objects lists what one session's recording consists of.
func (h *Handler) objects(ctx context.Context, w http.ResponseWriter, recordings Recordings, request Request, what asked, log logr.Logger) {
	objects, err := recordings.List(ctx, what.session)
	if err != nil {
		h.unreadable(w, err, what, log)
		return
	}
	list := readerapi.ObjectList{
		TypeMeta:   metav1.TypeMeta{Kind: "ObjectList", APIVersion: readerapi.SchemeGroupVersion.String()},
		RequestUID: request.UID, Session: what.session, Items: make([]readerapi.Object, 0, len(objects)),
	}
	for _, object := range objects {
		list.Items = append(list.Items, readerapi.Object{Name: readerapi.Short(what.session, object.Name), Size: object.Size})
	}
	log.Info("listed a recording's objects", "objects", len(list.Items))
	answer(w, http.StatusOK, list)
}

// stream sends a chunk of an object.
func (h *Handler) stream(ctx context.Context, w http.ResponseWriter, recordings Recordings, what asked, trail *audited, log logr.Logger) {
	most, err := written(ctx, recordings, what)
	if err != nil {
		h.unreadable(w, err, what, log)
		return
	}
	object, err := recordings.Open(ctx, what.object, what.offset)
	if err != nil {
		h.unreadable(w, err, what, log)
		return
	}
	defer func() {
		if err := object.Close(); err != nil {
			log.Error(err, "could not close a recording")
		}
	}()
	w.Header().Set("Content-Type", "application/octet-stream")
	sent, err := io.Copy(w, io.LimitReader(object, most))
	log.Info("read a recording", "object", what.object, "offset", what.offset, "bytes", sent)
	trail.read.Bytes, trail.read.CutShort = sent, err != nil
	if err != nil {
		log.Info("a read was cut short", "reason", err.Error())
		// The documented way to make the client see that this is not the end.
		panic(http.ErrAbortHandler)
	}
}

func (h *Handler) unreadable(w http.ResponseWriter, err error, what asked, log logr.Logger) {
	if !errors.Is(err, fs.ErrNotExist) {
		log.Error(err, "could not open a recording", "object", what.object)
		refuse(w, apierrors.NewServiceUnavailable("the recording cannot be opened now: "+reasonFor(err)))
		return
	}
	missing := fmt.Sprintf("request %s has no recording of session %s", what.subject(), what.session)
	if what.object != "" {
		missing = fmt.Sprintf("request %s has no object %s", what.subject(), what.object)
	}
	refuse(w, apierrors.NewGenericServerResponse(http.StatusNotFound, "get", resource(), what.subject(), missing, 0, true))
}

// none is the recordings of a request that has none.
type none struct{}

func (none) Sessions(context.Context) ([]string, error) { return nil, nil }

func (none) List(context.Context, string) ([]store.Object, error) { return nil, fs.ErrNotExist }

func (none) Open(context.Context, string, int64) (io.ReadCloser, error) { return nil, fs.ErrNotExist }

func (none) Close() error { return nil }

func (none) Store() string { return "" }
