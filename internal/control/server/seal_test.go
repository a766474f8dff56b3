package server_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/control/server"
	"github.com/sallyport/sallyport/internal/record"
)

// Seal implements server.Sealer: it signs what is not called refused.
func (w *world) Seal(_ context.Context, uid string, statement record.Statement) (record.Signature, error) {
	switch {
	case statement.RequestUID != uid:
		return record.Signature{}, errors.New("asked for another's")
	case statement.Session == "refused":
		return record.Signature{}, fmt.Errorf("%w: another content was signed before", control.ErrSealRefused)
	case statement.Session == "down":
		return record.Signature{}, errDown
	}
	return record.Sign(w.root.RecordingKey(), statement, w.now()), nil
}

// Places implements server.Sealer.
func (w *world) Places(_ context.Context, uid, session string, first, count int) (control.Places, error) {
	places := control.Places{Addresses: []string{"192.0.2.7:9000"}, CABundle: []byte("PEM"), Expires: time.Unix(1, 5)}
	for range count {
		places.Places = append(places.Places, control.Place{
			Name: fmt.Sprintf("%s/%08d.seg", session, first), URL: "https://store/" + uid, Check: "https://store/check",
			Headers: map[string]string{"If-None-Match": "*", "X-Amz-Object-Lock-Mode": "COMPLIANCE"},
		})
		first++
	}
	return places, nil
}

var _ server.Sealer = (*world)(nil)

func segment(uid, session string) record.Statement {
	return record.Statement{
		RequestUID: uid, Session: session, Segment: 2, First: 5, Last: 9, Bytes: 100,
		Hash: strings.Repeat("ab", 32), Previous: strings.Repeat("cd", 32),
	}
}

func TestTheManagerSignsWhatIsTheCallersOwnAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	p := w.proxy(w.options("mine"))
	p.next(t)
	signatures, err := p.Seal(t.Context(), []record.Statement{segment(mine, "s-1"), segment(mine, "s-2")})
	if err != nil || len(signatures) != 2 || signatures[1].Session != "s-2" {
		t.Fatalf("%+v, %v", signatures, err)
	}
	foreign := segment(mine, "s-1")
	foreign.Hash = "no hash"
	var many []record.Statement
	for range control.MaxSeal + 1 {
		many = append(many, segment(mine, "s-1"))
	}
	for name, statements := range map[string][]record.Statement{
		"another's request": {segment(others, "s-1")}, "malformed": {foreign}, "none": nil, "too many": many,
		"a path": {segment(mine, "../s-1")}, "refused": {segment(mine, "s-1"), segment(mine, "refused")},
	} {
		if _, err := p.Seal(t.Context(), statements); !errors.Is(err, control.ErrSealRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := p.Seal(t.Context(), []record.Statement{segment(mine, "down")}); err == nil || errors.Is(err, control.ErrSealRefused) || strings.Contains(err.Error(), errDown.Error()) {
		t.Errorf("a failure that may pass: %v", err)
	}
}

func TestPlacesCrossTheChannelWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	p := w.proxy(w.options("mine"))
	p.next(t)
	want, err := w.Places(t.Context(), mine, "s-1", 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Places(t.Context(), "s-1", 3, 2)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for name, ask := range map[string]func() (control.Places, error){
		"a path":     func() (control.Places, error) { return p.Places(t.Context(), "../s-1", 1, 1) },
		"too many":   func() (control.Places, error) { return p.Places(t.Context(), "s-1", 1, control.MaxPlaces+1) },
		"from none":  func() (control.Places, error) { return p.Places(t.Context(), "s-1", 0, 1) },
		"of nothing": func() (control.Places, error) { return p.Places(t.Context(), "s-1", 1, 0) },
	} {
		if _, err := ask(); !errors.Is(err, control.ErrSealRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAProxyThatAsksForSignaturesWithoutEndIsSlowedDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, server.Timing{})
	p := w.proxy(w.options("mine"))
	p.next(t)
	for range 200 {
		if _, err := p.Seal(t.Context(), []record.Statement{segment(mine, "s-1")}); err != nil {
			if errors.Is(err, control.ErrSealRefused) {
				t.Error("being slowed down is no refusal:", err)
			}
			return
		}
	}
	t.Error("200 calls at once were answered")
}
