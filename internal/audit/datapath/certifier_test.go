package datapath

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/audit"
)

// certifies answers with a certificate, or an error.
type certifies struct {
	certificate *ssh.Certificate
	err         error
}

func (c certifies) Certify(context.Context, string, ssh.PublicKey, string) (*ssh.Certificate, error) {
	return c.certificate, c.err
}

// cached lists requests, or fails.
type cached struct {
	client.Reader
	requests []v1alpha1.TaskAccessRequest
	err      error
}

func (c cached) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.(*v1alpha1.TaskAccessRequestList).Items = c.requests
	return c.err
}

func newSigner(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func newCertificate(t *testing.T, key ssh.PublicKey) *ssh.Certificate {
	t.Helper()
	certificate := &ssh.Certificate{
		Key: key, CertType: ssh.UserCert, Serial: 1<<63 + 1, KeyId: "sallyport-0e5f", ValidPrincipals: []string{"deploy"},
		ValidAfter: uint64(at.Add(-time.Minute).Unix()), ValidBefore: uint64(at.Add(3 * time.Minute).Unix()),
	}
	if err := certificate.SignCert(rand.Reader, newSigner(t)); err != nil {
		t.Fatal(err)
	}
	return certificate
}

func TestEveryCertificateIsToldWithItsBoundsAndWithoutItsKey(t *testing.T) {
	t.Parallel()
	teller, sink := newTeller(t)
	ours := request.DeepCopy()
	ours.Spec = v1alpha1.TaskAccessRequestSpec{Target: "web", Task: v1alpha1.Task{ID: "OPS-12"}, Requester: v1alpha1.Requester{Username: "bob"}}
	requests := cached{requests: []v1alpha1.TaskAccessRequest{*ours}}
	key := newSigner(t).PublicKey()
	for range 2 { // of one request, with one serial number
		certifier := Certifier{Certifier: certifies{certificate: newCertificate(t, key)}, Teller: teller, Requests: requests}
		if _, err := certifier.Certify(t.Context(), "0e5f", key, "deploy"); err != nil {
			t.Fatal(err)
		}
	}
	if len(sink.events) != 2 || sink.events[0].ID == sink.events[1].ID {
		t.Fatalf("two certificates are told as %+v", sink.events)
	}
	told := sink.events[0]
	want := audit.Certified{
		Target: "web", Task: "OPS-12", Requester: "bob", Serial: "9223372036854775809", KeyID: "sallyport-0e5f",
		Principals: []string{"deploy"}, Key: ssh.FingerprintSHA256(key), ValidAfter: at.Add(-time.Minute), ValidBefore: at.Add(3 * time.Minute),
	}
	if diff := cmp.Diff(want, told.Data); diff != "" || told.Type != audit.GrantCertified || told.Subject.String() != "payments/pay-1423" {
		t.Errorf("%s of %s (-want +got):\n%s", told.Type, told.Subject, diff)
	}
	line, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	if _, material, _ := strings.Cut(strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), " "); strings.Contains(string(line), material) {
		t.Errorf("the event holds the key: %s", line)
	}
}

func TestACertificateIsToldAlsoWhereTheCacheIsBehind(t *testing.T) {
	t.Parallel()
	for name, requests := range map[string]cached{"not there yet": {}, "not to be read": {err: errors.New("no cache")}} {
		teller, sink := newTeller(t)
		certificate := newCertificate(t, newSigner(t).PublicKey())
		certifier := Certifier{Certifier: certifies{certificate: certificate}, Teller: teller, Requests: requests}
		if got, err := certifier.Certify(t.Context(), "0e5f", certificate.Key, "deploy"); err != nil || got != certificate {
			t.Errorf("%s: %v", name, err)
		}
		if len(sink.events) != 1 || sink.events[0].Subject.UID != "0e5f" {
			t.Errorf("%s: told %+v", name, sink.events)
		}
	}
}

func TestARefusedCertificateIsNotToldAsMade(t *testing.T) {
	t.Parallel()
	teller, sink := newTeller(t)
	refused := errors.New("not granted")
	certifier := Certifier{Certifier: certifies{err: refused}, Teller: teller, Requests: cached{}}
	if _, err := certifier.Certify(t.Context(), "0e5f", newSigner(t).PublicKey(), "root"); !errors.Is(err, refused) {
		t.Error(err)
	}
	if len(sink.events) != 0 {
		t.Errorf("told %+v", sink.events)
	}
}
