package recording

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"github.com/sallyport/sallyport/internal/reader/readerapi"
	"github.com/sallyport/sallyport/internal/record/store"
)

// API is the recordings of one request, read through the API server.
type API struct {
	client rest.Interface
	path   string
	// uid of the request that had the path's name; empty is that which has it now.
	uid string
}

var _ store.Reader = (*API)(nil)

// maxList bounds an answer that lists, in bytes: 100,000 objects' names.
const maxList = 16 << 20

// Of is the recordings of a request.
func Of(config *rest.Config, namespace, name string) (*API, error) {
	return at(config, readerapi.Path(namespace, name), "")
}

// OfUID is the recordings of a request that may be gone. With its name, the right to
// read in its namespace is enough; without, it takes that for all namespaces.
func OfUID(config *rest.Config, namespace, name, uid string) (*API, error) {
	if err := store.CheckIdentifier(uid); err != nil {
		return nil, fmt.Errorf("UID %w", err)
	}
	if name == "" {
		return at(config, readerapi.PathOfUID(uid), "")
	}
	return at(config, readerapi.Path(namespace, name), uid)
}

func at(config *rest.Config, path, uid string) (*API, error) {
	config = rest.CopyConfig(config)
	// Errors come as v1 Status, whoever answers.
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.QPS = -1 // the API server's own fairness bounds us
	client, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("reach the API server: %w", err)
	}
	return &API{client, path, uid}, nil
}

// About says which sessions there are, where, and with which keys they are signed.
func (a *API) About(ctx context.Context) (*readerapi.RecordingList, error) {
	list := &readerapi.RecordingList{}
	return list, a.list(ctx, list, nil)
}

// Sessions implements store.Reader.
func (a *API) Sessions(ctx context.Context) ([]string, error) {
	list, err := a.About(ctx)
	if err != nil {
		return nil, err
	}
	sessions := make([]string, 0, len(list.Items))
	for _, item := range list.Items {
		if store.CheckIdentifier(item.Session) == nil {
			sessions = append(sessions, item.Session)
		}
	}
	return sessions, nil
}

// List implements store.Reader.
func (a *API) List(ctx context.Context, session string) ([]store.Object, error) {
	if err := store.CheckIdentifier(session); err != nil {
		return nil, fmt.Errorf("session %w", err)
	}
	list := &readerapi.ObjectList{}
	if err := a.list(ctx, list, map[string]string{readerapi.ParameterSession: session}); err != nil {
		return nil, err
	}
	var objects []store.Object
	for _, item := range list.Items {
		name := readerapi.Full(session, item.Name)
		// What a server says is no more to be trusted than what lies in a folder.
		if parsed, err := store.ParseName(name); err == nil && parsed.Session == session {
			objects = append(objects, store.Object{Name: name, Size: item.Size})
		}
	}
	return objects, nil
}

func (a *API) list(ctx context.Context, into any, parameters map[string]string) error {
	body, err := a.get(ctx, parameters)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	if err := json.NewDecoder(io.LimitReader(body, maxList)).Decode(into); err != nil {
		return fmt.Errorf("list the recordings: %w", err)
	}
	return nil
}

// Open implements store.Reader: it asks for chunk after chunk, to the end as it is
// when that is reached.
func (a *API) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	parsed, err := store.ParseName(name)
	if err != nil {
		return nil, err
	}
	c := &chunks{ctx: ctx, api: a, offset: offset, parameters: map[string]string{
		readerapi.ParameterSession: parsed.Session, readerapi.ParameterObject: readerapi.Short(parsed.Session, name),
	}}
	// The first chunk is asked for here, so that what is refused is refused here.
	if err := c.next(); err != nil {
		return nil, err
	}
	return c, nil
}

func (a *API) get(ctx context.Context, parameters map[string]string) (io.ReadCloser, error) {
	request := a.client.Get().AbsPath(a.path)
	if a.uid != "" {
		request = request.Param(readerapi.ParameterUID, a.uid)
	}
	for name, value := range parameters {
		request = request.Param(name, value)
	}
	body, err := request.Stream(ctx)
	return body, explained(err)
}

// chunks reads an object chunk after chunk; one that is not full is the last.
type chunks struct {
	ctx        context.Context
	api        *API
	parameters map[string]string
	// offset reached, and where the chunk that is being read began.
	offset, began int64
	chunk         io.ReadCloser
}

func (c *chunks) next() (err error) {
	c.parameters[readerapi.ParameterOffset] = strconv.FormatInt(c.offset, 10)
	c.began = c.offset
	c.chunk, err = c.api.get(c.ctx, c.parameters)
	return err
}

// Read implements io.Reader.
func (c *chunks) Read(p []byte) (int, error) {
	for {
		n, err := c.chunk.Read(p)
		c.offset += int64(n)
		if n > 0 || !errors.Is(err, io.EOF) {
			if errors.Is(err, io.EOF) {
				err = nil // the next Read finds it again
			}
			return n, err
		}
		if c.offset-c.began < readerapi.MaxChunk {
			return 0, io.EOF
		}
		if err := c.chunk.Close(); err != nil {
			return 0, err
		}
		if err := c.next(); err != nil {
			c.chunk = io.NopCloser(failing{err})
			return 0, err
		}
	}
}

// Close implements io.Closer.
func (c *chunks) Close() error { return c.chunk.Close() }

// failing is a chunk that could not be had.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// explained tells a cluster whose reader is away from a request without recordings.
func explained(err error) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsNotFound(err):
		return &notFound{err}
	case apierrors.IsServiceUnavailable(err) && strings.Contains(err.Error(), "unable to handle the request"):
		// The API server's own words where nobody stands behind an APIService.
		return errors.New("the reader of recordings does not answer: kubectl get apiservice " + readerapi.Version + "." + readerapi.Group)
	}
	return err
}

// notFound is the API's error, and a store's.
type notFound struct{ error }

func (e *notFound) Unwrap() []error { return []error{e.error, fs.ErrNotExist} }
