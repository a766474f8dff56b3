package presigned_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/record/store"
	"github.com/sallyport/sallyport/internal/record/store/bucket"
	"github.com/sallyport/sallyport/internal/record/store/presigned"
	"github.com/sallyport/sallyport/internal/record/store/wire"
	"github.com/sallyport/sallyport/internal/s3test"
)

const first, second = "one/00000001.seg", "one/00000002.seg"

var quick = wire.Retry{First: time.Millisecond, Most: 10 * time.Millisecond}

// signed is a server, a task there, and places for the first segment.
func signed(t *testing.T, ttl time.Duration) (*s3test.Server, *bucket.Task, presigned.Grant) {
	t.Helper()
	server := s3test.Start(t, s3test.Options{})
	server.Bucket(t, "recordings", false)
	b, err := bucket.Open(bucket.Config{
		// By name, and with an address of the grant.
		Endpoint: "https://localhost:" + server.Address[strings.LastIndex(server.Address, ":")+1:], Bucket: "recordings", Region: server.Region,
		CABundle: server.CAPEM, Credentials: bucket.Static(server.AccessKey, server.SecretKey, ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	task, err := b.Task("task")
	if err != nil {
		t.Fatal(err)
	}
	places, err := task.Presign(t.Context(), []string{first}, ttl, bucket.Retention{})
	if err != nil {
		t.Fatal(err)
	}
	return server, task, presigned.Grant{Places: places, Addresses: []string{"127.0.0.1"}, CABundle: server.CAPEM, Expires: time.Now().Add(time.Hour)}
}

// put writes the first segment with a grant.
func put(t *testing.T, grant presigned.Grant, content string) error {
	t.Helper()
	s := presigned.New(presigned.Options{Retry: quick})
	t.Cleanup(s.Close)
	if err := s.Accept(grant); err != nil {
		t.Fatal(err)
	}
	return s.Put(t.Context(), first, []byte(content))
}

func TestAnObjectIsPutAtItsPlaceOnce(t *testing.T) {
	t.Parallel()
	_, task, grant := signed(t, time.Minute)
	if err := put(t, grant, "x"); err != nil {
		t.Fatal(err)
	}
	if objects, err := task.List(t.Context(), "one"); err != nil || len(objects) != 1 || objects[0].Name != first {
		t.Errorf("%v, %v", objects, err)
	}
	if err := put(t, grant, "x"); err != nil {
		t.Errorf("the same again: %v", err)
	}
	if err := put(t, grant, "other"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("other bytes: %v", err)
	}
	grant.Places[0].Check = ""
	if err := put(t, grant, "x"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("without a way to compare: %v", err)
	}
}

// TestAPutThatWasTriedIsLookedForFirst: callers who do their own retries give one
// attempt to each Put.
func TestAPutThatWasTriedIsLookedForFirst(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t, s3test.Options{})
	server.Bucket(t, "recordings", false)
	front := server.Front(t)
	b, err := bucket.Open(bucket.Config{Endpoint: front.Endpoint, Bucket: "recordings", CABundle: server.CAPEM, Credentials: bucket.Static(server.AccessKey, server.SecretKey, "")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	task, err := b.Task("task")
	if err != nil {
		t.Fatal(err)
	}
	s := presigned.New(presigned.Options{Retry: wire.Retry{Attempts: 1}})
	t.Cleanup(s.Close)
	accept := func() {
		places, err := task.Presign(t.Context(), []string{first}, time.Minute, bucket.Retention{})
		if err := errors.Join(err, s.Accept(presigned.Grant{Places: places, CABundle: server.CAPEM, Expires: time.Now().Add(time.Minute)})); err != nil {
			t.Fatal(err)
		}
	}
	front.Rule(func(call s3test.Call) s3test.Fault {
		if call.Method == http.MethodPut {
			return s3test.LostResponse
		}
		return s3test.Pass
	})
	accept()
	if err := s.Put(t.Context(), first, []byte("x")); err == nil {
		t.Fatal("no answer is no success")
	}
	accept()
	if err := s.Put(t.Context(), first, []byte("other")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("other bytes: %v", err)
	}
	if err := s.Put(t.Context(), first, []byte("x")); err != nil {
		t.Errorf("the same again: %v", err)
	}
}

func TestLIFE5_APlaceIsForOneNameAndOneObject(t *testing.T) {
	t.Parallel()
	_, task, grant := signed(t, time.Minute)
	place := grant.Places[0]
	for name, change := range map[string]func(*presigned.Place){
		"another name":          func(p *presigned.Place) { p.URL = strings.Replace(p.URL, "00000001", "00000002", 1) },
		"another task":          func(p *presigned.Place) { p.URL = strings.Replace(p.URL, "/task/", "/other/", 1) },
		"a longer life":         func(p *presigned.Place) { p.URL = strings.Replace(p.URL, "Expires=60", "Expires=600", 1) },
		"leave to overwrite":    func(p *presigned.Place) { p.Headers = nil },
		"another precondition":  func(p *presigned.Place) { p.Headers = map[string]string{"If-None-Match": `"etag"`} },
		"reading without leave": func(p *presigned.Place) { p.URL = strings.Replace(p.URL, "X-Amz-Signature", "X-Amz-Signatur", 1) },
	} {
		changed := place
		change(&changed)
		grant.Places = []presigned.Place{changed}
		err := put(t, grant, "x")
		if !errors.Is(err, store.ErrExpired) && !strings.Contains(err.Error(), "the store answers 4") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if sessions, err := task.Sessions(t.Context()); err != nil || len(sessions) != 0 {
		t.Errorf("%v, %v", sessions, err)
	}
}

func TestAPlaceThatExpiredIsToldFromOtherErrors(t *testing.T) {
	t.Parallel()
	_, _, grant := signed(t, time.Second)
	s := presigned.New(presigned.Options{Retry: quick})
	t.Cleanup(s.Close)
	// The store says so, some time; we believe in an hour.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		if err := s.Accept(grant); err != nil {
			t.Fatal(err)
		}
		err := s.Put(ctx, first, []byte("x"))
		if errors.Is(err, store.ErrExpired) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	// Or our clock does, before the store is asked.
	now := time.Now()
	s = presigned.New(presigned.Options{Now: func() time.Time { return now }})
	t.Cleanup(s.Close)
	grant.Expires = now.Add(time.Minute)
	if err := s.Accept(grant); err != nil {
		t.Fatal(err)
	}
	if !s.Has(first, 59*time.Second) || s.Has(first, time.Minute) || s.Has(second, 0) {
		t.Error("Has is wrong about what there is")
	}
	now = now.Add(time.Minute)
	for _, name := range []string{first, second} {
		if err := s.Put(t.Context(), name, nil); !errors.Is(err, store.ErrExpired) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOnlyTheVouchedForServerOfThatNameIsToldAnything(t *testing.T) {
	t.Parallel()
	other := s3test.Start(t, s3test.Options{})
	_, _, grant := signed(t, time.Minute)
	for name, change := range map[string]func(*presigned.Grant){
		"another authority": func(g *presigned.Grant) { g.CABundle = other.CAPEM },
		"the system's":      func(g *presigned.Grant) { g.CABundle = nil },
		"another's address": func(g *presigned.Grant) { g.Addresses = []string{other.Address} },
		"another name": func(g *presigned.Grant) {
			g.Places[0].URL = strings.Replace(g.Places[0].URL, "localhost", "elsewhere.test", 1)
		},
	} {
		changed := grant
		changed.Places = append([]presigned.Place(nil), grant.Places...)
		change(&changed)
		err := put(t, changed, "x")
		var unknown x509.UnknownAuthorityError
		var hostname x509.HostnameError
		if !errors.As(err, &unknown) && !errors.As(err, &hostname) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "Signature") {
			t.Errorf("%s tells too much: %v", name, err)
		}
	}
	s := presigned.New(presigned.Options{})
	if err := s.Accept(presigned.Grant{CABundle: []byte("none")}); err == nil {
		t.Error("a CA bundle without a certificate was taken")
	}
}

func TestTheNextAddressIsTriedWhenOneIsDead(t *testing.T) {
	t.Parallel()
	_, _, grant := signed(t, time.Minute)
	grant.Addresses = []string{"127.0.0.1:1", "127.0.0.1"}
	if err := put(t, grant, "x"); err != nil {
		t.Error(err)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	var followed atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Store(true) }))
	t.Cleanup(elsewhere.Close)
	server := httptest.NewTLSServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	err := put(t, presigned.Grant{Places: []presigned.Place{{Name: first, URL: server.URL}}, CABundle: ca, Expires: time.Now().Add(time.Hour)}, "x")
	if err == nil || !strings.Contains(err.Error(), "307") || followed.Load() {
		t.Errorf("followed %t, %v", followed.Load(), err)
	}
}

func TestPlacesThatNoObjectHasAreRefused(t *testing.T) {
	t.Parallel()
	s := presigned.New(presigned.Options{})
	for _, name := range []string{"", "../x", "one.rec", store.JournalName("one", 1)} {
		if err := s.Accept(presigned.Grant{Places: []presigned.Place{{Name: name}}}); !errors.Is(err, store.ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
