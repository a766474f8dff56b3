package taskaccessrequest

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/control"
	"github.com/sallyport/sallyport/internal/record"
)

func hashOf(words ...any) string {
	sum := sha256.Sum256(fmt.Append(nil, words...))
	return hex.EncodeToString(sum[:])
}

// chain is the statements of one session's first segments, ten events each.
func chain(uid, session string, segments int) []record.Statement {
	statements := []record.Statement{}
	previous := strings.Repeat("0", 64)
	for n := 1; n <= segments; n++ {
		hash := hashOf(uid, session, n)
		statements = append(statements, record.Statement{
			RequestUID: uid, Session: session, Segment: n, First: int64(10*n - 9), Last: int64(10 * n), Bytes: 100, Hash: hash, Previous: previous,
		})
		previous = hash
	}
	return statements
}

// report tells of a session as its proxy would.
func (w *world) tell(p *Provider, session string, sequence int64, complete bool) {
	w.t.Helper()
	w.must(p.Report(w.t.Context(), string(w.request.UID), control.Report{
		Heads: []record.Head{{Session: session, Sequence: sequence, Hash: hashOf(session, sequence), Complete: complete}},
	}))
	w.reload()
}

func (w *world) head(session string) v1alpha1.RecordingHead {
	w.t.Helper()
	w.reload()
	for _, head := range w.request.Status.Recording.Head {
		if head.Session == session {
			return head
		}
	}
	w.t.Fatalf("status has no head of session %s", session)
	return v1alpha1.RecordingHead{}
}

func TestASegmentIsSignedOnceAndItsSignatureIsInTheStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	p := w.provide()
	uid := string(w.request.UID)
	w.tell(p, "one", 10, false)
	statements := chain(uid, "one", 2)
	signature, err := p.Seal(t.Context(), uid, statements[0])
	w.must(err)
	public := recordingKey.Public().(ed25519.PublicKey)
	w.must(signature.Check([]ed25519.PublicKey{public}))
	sealed := w.head("one").Sealed
	if sealed == nil || sealed.Segment != 1 || sealed.Sequence != 10 || sealed.Hash != statements[0].Hash || sealed.Key != record.KeyID(public) ||
		sealed.Signature != base64.StdEncoding.EncodeToString(signature.Signature) {
		t.Fatalf("sealed is %+v", sealed)
	}
	// An answer that was lost is given again, the very same.
	again, err := p.Seal(t.Context(), uid, statements[0])
	w.must(err)
	if string(again.Encode()) != string(signature.Encode()) {
		t.Error("another signature for the same segment")
	}
	// The end is written at once, however little time has passed.
	statements[1].Complete = true
	_, err = p.Seal(t.Context(), uid, statements[1])
	w.must(err)
	if sealed := w.head("one").Sealed; sealed.Segment != 2 {
		t.Errorf("after the end: %+v", sealed)
	}
	// A report moves its head on, and leaves the signature.
	w.tell(p, "one", 20, true)
	if head := w.head("one"); head.Sequence != 20 || !head.Complete || head.Sealed == nil || head.Sealed.Segment != 2 {
		t.Errorf("head %+v", head)
	}
}

func TestREC2_NoReplicaEverSignsTwoDifferentSegments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	uid := string(w.request.UID)
	first := w.provide()
	w.tell(first, "one", 30, false)
	statements := chain(uid, "one", 5)
	for _, statement := range statements[:3] {
		_, err := first.Seal(t.Context(), uid, statement)
		w.must(err)
	}
	statements[2].Complete = false
	for _, replica := range []struct {
		name string
		*Provider
	}{{"the one that signed", first}, {"one that begins anew", w.provide()}} {
		fork := statements[2]
		fork.Hash = hashOf("fork")
		other := statements[3]
		other.Previous = hashOf("fork")
		gap := statements[3]
		gap.First = 33
		elsewhere := statements[3]
		elsewhere.RequestUID = "11111111-0000-0000-0000-000000000000"
		for what, statement := range map[string]record.Statement{
			"another segment 3": fork, "a segment 4 that follows another": other, "a segment 4 that leaves events out": gap,
			"a segment of another request": elsewhere, "what is no segment": {RequestUID: uid, Session: "one", Segment: 4},
		} {
			if _, err := replica.Seal(t.Context(), uid, statement); !errors.Is(err, control.ErrSealRefused) {
				t.Errorf("%s, %s: %v", replica.name, what, err)
			}
		}
		if signature, err := replica.Seal(t.Context(), uid, statements[2]); err != nil || signature.Statement != statements[2] {
			t.Errorf("%s: the same segment 3: %v", replica.name, err)
		}
	}
}

// The headers between are what the manager does not see: a chain that is another behind
// what was signed is found by the link, whoever signs, and however often.
func TestREC2_ASignatureBehindAGapIsTiedToWhatWasSignedBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	uid := string(w.request.UID)
	p, other := w.provide(), w.provide()
	w.tell(p, "one", 60, false)
	statements := chain(uid, "one", 7)
	first, err := p.Seal(t.Context(), uid, statements[0])
	w.must(err)
	second, err := p.Seal(t.Context(), uid, statements[1])
	w.must(err)
	if first.Link != (record.Link{}) || second.Link != (record.Link{}) {
		t.Error("tied though there is nothing between:", first.Link, second.Link)
	}
	want := record.Link{After: 2, AfterHash: statements[1].Hash}
	for name, replica := range map[string]*Provider{"the one that signed": p, "one that knows nothing": w.provide()} {
		signature, err := replica.Seal(t.Context(), uid, statements[3])
		if err != nil || signature.Link != want {
			t.Errorf("%s: %+v, %v", name, signature.Link, err)
		}
		w.must(signature.Check([]ed25519.PublicKey{recordingKey.Public().(ed25519.PublicKey)}))
	}
	// A replica whose memory is old goes by the status.
	_, err = other.Seal(t.Context(), uid, statements[3])
	w.must(err)
	_, err = p.Seal(t.Context(), uid, statements[4])
	w.must(err)
	signature, err := other.Seal(t.Context(), uid, statements[6])
	if err != nil || signature.Link != (record.Link{After: 5, AfterHash: statements[4].Hash}) {
		t.Errorf("the other replica: %+v, %v", signature.Link, err)
	}
}

// A proxy that was taken over asks every replica, tells of no session, and waits until
// one has forgotten.
func TestREC2_ReplicasThatKnowASessionAlreadySignNoTwoChains(t *testing.T) {
	t.Parallel()
	for name, told := range map[string]bool{"a session that was told of": true, "one that was not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.approve()
			uid := string(w.request.UID)
			replicas := []*Provider{w.provide(), w.provide()}
			if told {
				w.tell(replicas[0], "one", 30, false)
			}
			statements := chain(uid, "one", 3)
			for _, replica := range replicas { // both know segment 1
				_, err := replica.Seal(t.Context(), uid, statements[0])
				w.must(err)
			}
			_, err := replicas[0].Seal(t.Context(), uid, statements[1])
			w.must(err)
			fork := statements[1]
			fork.Hash = hashOf("fork")
			onFork := statements[2]
			onFork.Previous = fork.Hash
			for _, statement := range []record.Statement{fork, onFork} {
				if _, err := replicas[1].Seal(t.Context(), uid, statement); !errors.Is(err, control.ErrSealRefused) {
					t.Errorf("the other replica signs another segment %d: %v", statement.Segment, err)
				}
			}
			if _, err := replicas[1].Seal(t.Context(), uid, statements[2]); err != nil {
				t.Errorf("and does not go on: %v", err)
			}
		})
	}
}

func TestNothingIsSignedBehindTheEndOfASession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	uid := string(w.request.UID)
	p := w.provide()
	statements := chain(uid, "one", 3)
	statements[1].Complete = true
	w.tell(p, "one", 3, false)
	for _, statement := range statements[:2] {
		_, err := p.Seal(t.Context(), uid, statement)
		w.must(err)
	}
	// Its proxy says neither that it has ended, nor may it say now that it has not.
	w.tell(p, "one", 30, false)
	if head := w.head("one"); head.Sequence != 20 || !head.Complete {
		t.Errorf("the head is %+v", head)
	}
	for name, replica := range map[string]*Provider{"the same": p, "another": w.provide()} {
		if _, err := replica.Seal(t.Context(), uid, statements[2]); !errors.Is(err, control.ErrSealRefused) {
			t.Errorf("%s replica signs on: %v", name, err)
		}
	}
}

func TestASessionDoesNotEndBeforeWhatItHasReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	uid := string(w.request.UID)
	p := w.provide()
	w.tell(p, "one", 11, false)
	statement := chain(uid, "one", 1)[0]
	statement.Complete = true
	if _, err := p.Seal(t.Context(), uid, statement); !errors.Is(err, control.ErrSealRefused) {
		t.Errorf("signed as complete after 10 events of 11: %v", err)
	}
}

func TestAReplicaThatCannotTellTheStatusDoesNotAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	uid := string(w.request.UID)
	p := w.provide()
	w.tell(p, "one", 10, false)
	broken := &failing{Client: p.Client}
	p.Client = broken
	statement := chain(uid, "one", 1)[0]
	broken.fail.Store(true)
	if _, err := p.Seal(t.Context(), uid, statement); err == nil || errors.Is(err, control.ErrSealRefused) {
		t.Fatalf("answered though nothing was written: %v", err)
	}
	broken.fail.Store(false)
	if _, err := p.Seal(t.Context(), uid, statement); err != nil || w.head("one").Sealed == nil {
		t.Errorf("the next try: %v", err)
	}
}

func TestReportsAndSignaturesAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	uid := string(w.request.UID)
	replicas := []*Provider{w.provide(), w.provide()}
	const sessions = 4
	for n := range sessions {
		w.tell(replicas[0], fmt.Sprint("s-", n), 1, false)
	}
	var running sync.WaitGroup
	for n := range sessions {
		running.Go(func() {
			session := fmt.Sprint("s-", n)
			for i, statement := range chain(uid, session, 3) {
				statement.Complete = i == 2
				for try := 0; ; try++ {
					_, err := replicas[n%2].Seal(t.Context(), uid, statement)
					if err == nil {
						break
					}
					if errors.Is(err, control.ErrSealRefused) || try > 20 {
						t.Errorf("%s/%d: %v", session, i, err)
						return
					}
				}
			}
		})
		running.Go(func() {
			for sequence := int64(2); sequence < 6; sequence++ {
				_ = replicas[(n+1)%2].Report(t.Context(), uid, control.Report{Heads: []record.Head{{
					Session: fmt.Sprint("s-", n), Sequence: sequence, Hash: hashOf(sequence),
				}}})
			}
		})
	}
	running.Wait()
	for n := range sessions {
		if head := w.head(fmt.Sprint("s-", n)); head.Sealed == nil || head.Sealed.Segment != 3 {
			t.Errorf("session %d: %+v", n, head.Sealed)
		}
	}
}

func TestAnOldSessionsHeadGoesBeforeALiveOnes(t *testing.T) {
	t.Parallel()
	heads := []v1alpha1.RecordingHead{{Session: "live"}}
	for n := range control.MaxHeads {
		heads = append(heads, v1alpha1.RecordingHead{
			Session: fmt.Sprint("over-", n), Sequence: 3, Complete: true, Sealed: &v1alpha1.SealedHead{Segment: 1, Sequence: 3},
		})
	}
	heads, signed := newest(heads)
	if len(heads) != control.MaxHeads || heads[0].Session != "live" || heads[1].Session != "over-1" || !slices.Equal(signed, []string{"over-0"}) {
		t.Errorf("%d heads, the first %s, %s; gone: %v", len(heads), heads[0].Session, heads[1].Session, signed)
	}
}

func TestASessionThatTheStatusHasNoRoomForIsNotSignedAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.approve()
	uid := string(w.request.UID)
	p := w.provide()
	statement := chain(uid, "first", 1)[0]
	statement.Complete = true
	w.tell(p, "first", 10, true)
	_, err := p.Seal(t.Context(), uid, statement)
	w.must(err)
	heads := []record.Head{}
	for n := range control.MaxHeads {
		heads = append(heads, record.Head{Session: fmt.Sprint("later-", n), Sequence: 1, Hash: hashOf(n)})
	}
	w.must(p.Report(t.Context(), uid, control.Report{Heads: heads}))
	w.reload()
	for _, head := range w.request.Status.Recording.Head {
		if head.Session == "first" {
			t.Fatal("its head is in the status still")
		}
	}
	forged := statement
	forged.Hash = hashOf("forged")
	if _, err := w.provide().Seal(t.Context(), uid, forged); !errors.Is(err, control.ErrSealRefused) {
		t.Errorf("another replica signs it anew: %v", err)
	}
}

// failing is a client whose writes of a status fail while fail is set.
type failing struct {
	client.Client
	fail atomic.Bool
}

func (f *failing) Status() client.SubResourceWriter {
	return failingStatus{f.Client.Status(), &f.fail}
}

type failingStatus struct {
	client.SubResourceWriter
	fail *atomic.Bool
}

func (f failingStatus) Apply(ctx context.Context, object runtime.ApplyConfiguration, options ...client.SubResourceApplyOption) error {
	if f.fail.Load() {
		return errDown
	}
	return f.SubResourceWriter.Apply(ctx, object, options...)
}
