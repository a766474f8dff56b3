package presigned

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // what Content-MD5 (RFC 1864) asks for: against accidents
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/wire"
)

// Options of a store.
type Options struct {
	Retry wire.Retry
	// Idle bounds the wait for the next bytes; 0 is wire.DefaultIdle.
	Idle time.Duration
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

// Store puts objects to the places it was granted. It is safe for concurrent use.
type Store struct {
	options Options

	mu     sync.Mutex
	places map[string]granted
	// reached is how the last grant said that the store is reached.
	client    *http.Client
	addresses []string
	caBundle  []byte
}

type granted struct {
	Place
	expires time.Time
	// tried is that something may be at the place already, after an error.
	tried bool
}

// maxPlaces bounds the places that wait for their object.
const maxPlaces = 10_000

var _ store.Writer = (*Store)(nil)

// New makes a store without any place.
func New(options Options) *Store {
	if options.Now == nil {
		options.Now = time.Now //nolint:forbidigo // the default of the field
	}
	return &Store{options: options, places: map[string]granted{}}
}

// Accept adds the places of a grant. Those of the same name that it had are replaced.
func (s *Store) Accept(grant Grant) error {
	for _, place := range grant.Places {
		if _, err := store.CheckPut(place.Name, nil); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil || !slices.Equal(grant.Addresses, s.addresses) || !bytes.Equal(grant.CABundle, s.caBundle) {
		transport, err := wire.Transport(wire.Options{CABundle: grant.CABundle, Addresses: grant.Addresses, Idle: s.options.Idle})
		if err != nil {
			return err
		}
		s.close()
		s.client = &http.Client{Transport: transport, CheckRedirect: noRedirect}
		s.addresses, s.caBundle = grant.Addresses, grant.CABundle
	}
	for _, place := range grant.Places {
		s.places[place.Name] = granted{place, grant.Expires, s.places[place.Name].tried}
	}
	now := s.options.Now()
	for name, place := range s.places {
		if !now.Before(place.expires) {
			delete(s.places, name)
		}
	}
	if len(s.places) > maxPlaces {
		clear(s.places)
		return fmt.Errorf("more than %d places wait for their object", maxPlaces)
	}
	return nil
}

// Has says whether there is a place for an object that stays valid for some time yet.
func (s *Store) Has(name string, yet time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	place, found := s.places[name]
	return found && s.options.Now().Add(yet).Before(place.expires)
}

// Close gives up all places, and the idle connections.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.places)
	s.close()
}

func (s *Store) close() {
	if s.client != nil {
		s.client.CloseIdleConnections()
	}
}

// Put stores an object at its place. It is store.ErrExpired if there is no valid
// place: Accept another, then try again. If an object is there already and its place
// has no Check, it is fs.ErrExist, whatever the bytes.
func (s *Store) Put(ctx context.Context, name string, content []byte) error {
	if _, err := store.CheckPut(name, content); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	place, found := s.places[name]
	client := s.client
	s.mu.Unlock()
	if !found || !s.options.Now().Before(place.expires) {
		return fmt.Errorf("put %s: %w", name, store.ErrExpired)
	}
	digest := md5.Sum(content) //nolint:gosec // see the import
	err := s.options.Retry.Do(ctx, func(ctx context.Context) error {
		// A store that has the object may answer before it has read the body, and its
		// answer be lost to the reset that follows: look before trying again.
		if place.tried && place.Check != "" {
			if found, err := same(ctx, client, place.Check, content); found || err != nil {
				return err
			}
		}
		place.tried = true
		err := put(ctx, client, place.Place, content, base64.StdEncoding.EncodeToString(digest[:]))
		if errors.Is(err, fs.ErrExist) && place.Check != "" {
			found, compared := same(ctx, client, place.Check, content)
			if found || compared != nil {
				return compared
			}
		}
		return err
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if there, found := s.places[name]; found {
			there.tried = place.tried
			s.places[name] = there
		}
		return fmt.Errorf("put %s: %w", name, err)
	}
	delete(s.places, name)
	return nil
}

// put does one attempt; fs.ErrExist is not yet final.
func put(ctx context.Context, client *http.Client, place Place, content []byte, digest string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, place.URL, bytes.NewReader(content))
	if err != nil {
		return wire.Permanent(withoutURL(err))
	}
	for name, value := range place.Headers {
		request.Header.Set(name, value)
	}
	// S3 asks for it where objects are locked, and it costs little.
	request.Header.Set("Content-MD5", digest)
	response, err := client.Do(request)
	if err != nil {
		return withoutURL(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
	switch status := response.StatusCode; {
	case status == http.StatusOK || status == http.StatusCreated || status == http.StatusNoContent:
		return nil
	case status == http.StatusPreconditionFailed && place.Check == "":
		return wire.Permanent(fs.ErrExist)
	case status == http.StatusPreconditionFailed:
		return fs.ErrExist
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		return wire.Permanent(fmt.Errorf("%w: %s", store.ErrExpired, said(response, body)))
	case status == http.StatusInsufficientStorage:
		return wire.Permanent(fmt.Errorf("%w: %s", store.ErrFull, said(response, body)))
	case status == http.StatusConflict || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500:
		return fmt.Errorf("the store answers %s", said(response, body))
	default:
		return wire.Permanent(fmt.Errorf("the store answers %s", said(response, body)))
	}
}

// same says whether this very content is there already; fs.ErrExist if another is.
func same(ctx context.Context, client *http.Client, check string, content []byte) (bool, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, check, nil)
	if err != nil {
		return false, wire.Permanent(withoutURL(err))
	}
	response, err := client.Do(request)
	if err != nil {
		return false, withoutURL(err)
	}
	defer func() { _ = response.Body.Close() }()
	there, err := io.ReadAll(io.LimitReader(response.Body, int64(len(content))+1))
	switch {
	// S3 answers 403 for what is not there to those who may not list.
	case response.StatusCode == http.StatusNotFound || response.StatusCode == http.StatusForbidden:
		return false, nil
	case response.StatusCode != http.StatusOK:
		return false, fmt.Errorf("compare with what is there: the store answers %s", said(response, there))
	case err != nil:
		return false, withoutURL(err)
	case !bytes.Equal(there, content):
		return false, wire.Permanent(fs.ErrExist)
	}
	return true, nil
}

// s3Code is the error's name in S3's XML, the one part of a body that is worth telling.
var s3Code = regexp.MustCompile(`<Code>([A-Za-z0-9.]{1,64})</Code>`)

func said(response *http.Response, body []byte) string {
	if code := s3Code.FindSubmatch(body); code != nil {
		return fmt.Sprintf("%d %s", response.StatusCode, code[1])
	}
	return fmt.Sprintf("%d", response.StatusCode)
}

// withoutURL takes the signed URL out of an error.
func withoutURL(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("%s to the recordings store: %w", failed.Op, failed.Err)
	}
	return err
}

// noRedirect: a place is where the manager said it is.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
