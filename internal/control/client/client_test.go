package client

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/keys"
)

func TestTheTokenIsReadAtEachCallForItRotates(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	for _, token := range []string{"first", "second"} {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := tokenFile(file).GetRequestMetadata(context.Background())
		if err != nil || got["authorization"] != "Bearer "+token {
			t.Fatalf("%v, %v", got, err)
		}
	}
}

func TestAFileThatHoldsNoTokenIsAnErrorThatDoesNotQuoteIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{"empty": "", "blank": "\n", "two lines": "se\ncret", "huge": strings.Repeat("secret", 10_000)} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := tokenFile(file).GetRequestMetadata(context.Background()); err == nil || strings.Contains(err.Error(), "cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := tokenFile(filepath.Join(dir, "none")).GetRequestMetadata(context.Background()); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestHeartbeatsAreThreeTimesAsFastAsThePolicyNeeds(t *testing.T) {
	t.Parallel()
	c := &Client{timing: Timing{}.withDefaults()}
	with := func(seconds int32) grant.State {
		return grant.State{Grant: &grant.Grant{Policy: v1alpha1.AccessPolicySpec{Session: v1alpha1.SessionPolicy{ControlLossSeconds: seconds}}}}
	}
	for _, s := range []struct {
		state grant.State
		want  time.Duration
	}{
		{grant.State{}, 10 * time.Second}, {with(0), 10 * time.Second}, {with(6), 2 * time.Second}, {with(3600), 10 * time.Second},
	} {
		if got := c.beat(s.state); got != s.want {
			t.Errorf("%s, want %s", got, s.want)
		}
	}
}

func TestACertificateForAnotherKeyIsNotInstalled(t *testing.T) {
	t.Parallel()
	root, err := keys.Generate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	options := Options{Address: "192.0.2.1:1", CA: root.CA(), TokenFile: "x", Log: logr.Discard(), Now: time.Now}
	mine, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	other, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	der, err := root.SignTask("u", other.request, time.Now(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if mine.install(der) == nil || mine.install([]byte("x")) == nil {
		t.Error("installed")
	}
	if _, err := mine.Certificate(nil); !errors.Is(err, control.ErrNoCertificate) {
		t.Error(err)
	}
	if err := other.install(der); err != nil {
		t.Error(err)
	}
}

func TestAClientThatWaitsForAManagerLeavesWhenItsCallerDoes(t *testing.T) {
	t.Parallel()
	root, err := keys.Generate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{Address: "192.0.2.1:1", CA: root.CA(), TokenFile: "x", Log: logr.Discard(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Authenticate(ctx, "secret"); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}
