// Package recording fetches recordings through the aggregated API of the reader.
package recording

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"github.com/sallyport/sallyport/internal/record"
)

// Source is the recordings of one request.
type Source struct {
	client          rest.Interface
	namespace, name string
}

// Session is one session's recording as the reader lists it.
type Session struct {
	ID       string    `json:"id"`
	Bytes    int64     `json:"bytes"`
	Modified time.Time `json:"modified"`
}

// maxList bounds the answer that lists sessions, in bytes.
const maxList = 4 << 20

// Of is the recordings of a request.
func Of(config *rest.Config, namespace, name string) (*Source, error) {
	config = rest.CopyConfig(config)
	config.NegotiatedSerializer = serializer.NewCodecFactory(runtime.NewScheme()).WithoutConversion()
	// A recording may be long, and its reader slow: the context bounds it.
	config.Timeout = 0
	client, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("reach the API server: %w", err)
	}
	return &Source{client: client, namespace: namespace, name: name}, nil
}

func (s *Source) get() *rest.Request {
	return s.client.Get().AbsPath("/apis/subresources.access.sallyport.dev/v1alpha1/namespaces", s.namespace, "taskaccessrequests", s.name, "recording")
}

// Sessions lists the sessions, as the reader orders them.
func (s *Source) Sessions(ctx context.Context) ([]Session, error) {
	body, err := s.get().Stream(ctx)
	if err != nil {
		return nil, explained(err)
	}
	defer func() { _ = body.Close() }()
	var list struct {
		Sessions []Session `json:"sessions"`
	}
	if err := json.NewDecoder(io.LimitReader(body, maxList)).Decode(&list); err != nil {
		return nil, fmt.Errorf("list the sessions: %w", err)
	}
	return list.Sessions, nil
}

// Open streams one session's recording, raw as it was written.
func (s *Source) Open(ctx context.Context, session string) (io.ReadCloser, error) {
	if err := record.CheckIdentifier(session); err != nil {
		return nil, err
	}
	body, err := s.get().Param("session", session).Stream(ctx)
	if err != nil {
		return nil, explained(err)
	}
	return body, nil
}

// explained tells a cluster without the reader from a request without recordings.
func explained(err error) error {
	if apierrors.IsServiceUnavailable(err) {
		return errors.New("the reader of recordings does not answer: kubectl get apiservice v1alpha1.subresources.access.sallyport.dev")
	}
	return err
}
