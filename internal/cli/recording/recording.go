// Package recording fetches recordings through the aggregated API of the reader.
package recording

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"github.com/sallyport/sallyport/internal/reader/readerapi"
	"github.com/sallyport/sallyport/internal/record"
)

// Source is the recordings of one request.
type Source struct {
	client rest.Interface
	path   string
}

// maxList bounds the answer that lists recordings, in bytes.
const maxList = 4 << 20

// Of is the recordings of a request.
func Of(config *rest.Config, namespace, name string) (*Source, error) {
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
	return &Source{client: client, path: readerapi.Path(namespace, name)}, nil
}

// List says which recordings there are.
func (s *Source) List(ctx context.Context) (*readerapi.RecordingList, error) {
	body, err := s.client.Get().AbsPath(s.path).Stream(ctx)
	if err != nil {
		return nil, explained(err)
	}
	defer func() { _ = body.Close() }()
	list := &readerapi.RecordingList{}
	if err := json.NewDecoder(io.LimitReader(body, maxList)).Decode(list); err != nil {
		return nil, fmt.Errorf("list the recordings: %w", err)
	}
	return list, nil
}

// Open reads one session's recording from its beginning, raw as it was written, to
// its end as it is when that is reached.
func (s *Source) Open(ctx context.Context, session string) (io.ReadCloser, error) {
	if err := record.CheckIdentifier(session); err != nil {
		return nil, fmt.Errorf("session %w", err)
	}
	r := &reader{ctx: ctx, source: s, session: session}
	// The first chunk is asked for here, so that what is refused is refused here.
	return r, r.next()
}

// reader reads chunk after chunk; an empty one is the end.
type reader struct {
	ctx     context.Context
	source  *Source
	session string
	// offset reached, and where the chunk that is being read began.
	offset, began int64
	chunk         io.ReadCloser
}

func (r *reader) next() error {
	request := r.source.client.Get().AbsPath(r.source.path).
		Param(readerapi.ParameterSession, r.session).
		Param(readerapi.ParameterOffset, strconv.FormatInt(r.offset, 10))
	chunk, err := request.Stream(r.ctx)
	if err != nil {
		return explained(err)
	}
	r.chunk, r.began = chunk, r.offset
	return nil
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for {
		n, err := r.chunk.Read(p)
		r.offset += int64(n)
		if n > 0 || !errors.Is(err, io.EOF) {
			if errors.Is(err, io.EOF) {
				err = nil // the next Read finds it again
			}
			return n, err
		}
		if r.offset == r.began {
			return 0, io.EOF
		}
		if err := errors.Join(r.chunk.Close(), r.next()); err != nil {
			return 0, err
		}
	}
}

// Close implements io.Closer.
func (r *reader) Close() error { return r.chunk.Close() }

// explained tells a cluster whose reader is away from a request without recordings.
func explained(err error) error {
	if apierrors.IsServiceUnavailable(err) {
		return errors.New("the reader of recordings does not answer: kubectl get apiservice " + readerapi.Version + "." + readerapi.Group)
	}
	return err
}
