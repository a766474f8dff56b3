package evidence_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"filippo.io/age"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/evidence"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/record/store"
)

// files is a bundle that can be changed.
type files map[string][]byte

func unpack(t *testing.T, bundle []byte) files {
	t.Helper()
	unpacked := files{}
	tree := open(t, bundle)
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		unpacked[name], err = fs.ReadFile(tree, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return unpacked
}

func (f files) fs() fs.FS {
	tree := fstest.MapFS{"recordings": {Mode: fs.ModeDir | 0o755}}
	for name, content := range f {
		tree[name] = &fstest.MapFile{Data: content}
	}
	return tree
}

// list makes the manifest say what is there now: what somebody does who changes a bundle
// with care.
func (f files) list(t *testing.T) {
	t.Helper()
	var m evidence.Manifest
	if err := json.Unmarshal(f["manifest.json"], &m); err != nil {
		t.Fatal(err)
	}
	m.Files = nil
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if name == "manifest.json" {
			continue
		}
		sum := sha256.Sum256(f[name])
		m.Files = append(m.Files, evidence.File{Name: name, Size: int64(len(f[name])), SHA256: hex.EncodeToString(sum[:])})
	}
	encoded, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	f["manifest.json"] = encoded
}

// edit changes a document.
func edit[T any](t *testing.T, f files, name string, change func(*T)) {
	t.Helper()
	var object T
	if err := json.Unmarshal(f[name], &object); err != nil {
		t.Fatal(err)
	}
	change(&object)
	encoded, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	f[name] = encoded
}

func TestEveryByteThatChangedIsFoundAndItsFileNamed(t *testing.T) {
	t.Parallel()
	bundle := newWorld(t).bundle(t)
	for name := range unpack(t, bundle) {
		if name == "manifest.json" {
			continue
		}
		for what, change := range map[string]func(files){
			"changed": func(f files) { f[name][len(f[name])/2] ^= 1 },
			"cut":     func(f files) { f[name] = f[name][:len(f[name])-1] },
			"removed": func(f files) { delete(f, name) },
		} {
			f := unpack(t, bundle)
			change(f)
			result := check(t, f.fs(), trusted())
			if result.Level() != evidence.Failed || !strings.Contains(said(result, evidence.Failed), "file "+name+": ") {
				t.Errorf("%s %s: %s", name, what, said(result, evidence.Failed))
			}
		}
	}
	f := unpack(t, bundle)
	f["reviews/held-0002.json"] = []byte("{}")
	if got := said(check(t, f.fs(), trusted()), evidence.Failed); !strings.Contains(got, "file reviews/held-0002.json: the manifest does not list it") {
		t.Errorf("added: %s", got)
	}
	for _, manifest := range []string{"", "{}", "[]", `{"format":"sallyport-evidence","version":"9.0"}`} {
		f["manifest.json"] = []byte(manifest)
		if result := check(t, f.fs(), trusted()); result.Level() != evidence.Failed {
			t.Errorf("manifest %q is taken", manifest)
		}
	}
}

func TestWhoChangesABundleAndItsManifestIsFoundByWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	bundle := newWorld(t).bundle(t)
	segment, signature := "recordings/0195-a/00000002.seg", "recordings/0195-a/00000002.sig"
	for name, test := range map[string]struct {
		change func(*testing.T, files)
		says   string
	}{
		"the request's reason": {func(t *testing.T, f files) {
			edit(t, f, "request.json", func(r *v1alpha1.TaskAccessRequest) { r.Spec.Reason = "another" })
		}, "request: its text has digest"},
		"a request of another name": {func(t *testing.T, f files) {
			edit(t, f, "request.json", func(r *v1alpha1.TaskAccessRequest) { r.Name = "pay-9" })
		}, "request: team/pay-9 is not the request"},
		"the policy's rules": {func(t *testing.T, f files) {
			edit(t, f, "policy.json", func(p *v1alpha1.AccessPolicy) { p.Spec.Rules = nil })
		}, "policy: its text has digest"},
		"a policy that claims to be changed": {func(_ *testing.T, f files) {
			f["policy-now.json"] = f["policy.json"]
			delete(f, "policy.json")
		}, "policy: it is filed as changed"},
		"the target": {func(t *testing.T, f files) {
			edit(t, f, "target.json", func(p *v1alpha1.AccessTarget) { p.UID = "t-2" })
		}, "target: its text has digest"},
		"a decision": {func(t *testing.T, f files) {
			edit(t, f, "reviews/request.json", func(r *v1alpha1.ApprovalReview) { r.Spec.Decisions[1].Verdict = v1alpha1.VerdictDeny })
		}, "review pay-1423-review: its status counts another decision of carol"},
		"a decision that nobody made": {func(t *testing.T, f files) {
			edit(t, f, "reviews/request.json", func(r *v1alpha1.ApprovalReview) { r.Spec.Decisions = r.Spec.Decisions[:1] })
		}, "review pay-1423-review: its status counts a decision of carol, who made none"},
		"a reviewer without a seat": {func(t *testing.T, f files) {
			edit(t, f, "reviews/request.json", func(r *v1alpha1.ApprovalReview) { r.Spec.Decisions[0].Groups = nil })
		}, "review pay-1423-review: its outcome is Approved, and its decisions make it pending"},
		"the requester as reviewer": {func(t *testing.T, f files) {
			edit(t, f, "reviews/request.json", func(r *v1alpha1.ApprovalReview) {
				r.Spec.Decisions[0].Reviewer, r.Status.Latched[0].Reviewer = "BOB", "BOB"
			})
		}, "review pay-1423-review: its outcome is Approved"},
		"fewer requirements": {func(t *testing.T, f files) {
			edit(t, f, "reviews/request.json", func(r *v1alpha1.ApprovalReview) {
				r.Spec.Question.Requirements = r.Spec.Question.Requirements[:1]
			})
		}, "review pay-1423-review: it does not ask for the reviewers that the policy asks for"},
		"a larger grant": {func(t *testing.T, f files) {
			edit(t, f, "reviews/request.json", func(r *v1alpha1.ApprovalReview) {
				r.Spec.Question.Grant.Postgres = &v1alpha1.PostgresGrant{Database: "orders", Unrestricted: true}
			})
		}, "review pay-1423-review: it grants what is neither the policy's grant"},
		"a review of another policy": {func(t *testing.T, f files) {
			edit(t, f, "reviews/request.json", func(r *v1alpha1.ApprovalReview) { r.Spec.Question.Policy.Digest = "v1:sha256:00" })
		}, "review pay-1423-review: it is bound to another policy"},
		"a grant before the review": {func(t *testing.T, f files) {
			edit(t, f, "request.json", func(r *v1alpha1.TaskAccessRequest) { r.Status.GrantedAt = moment(9) })
		}, "grant: access was granted at 2026-03-01 12:09:00Z, before the review"},
		"a grant that lasts longer": {func(t *testing.T, f files) {
			edit(t, f, "request.json", func(r *v1alpha1.TaskAccessRequest) { r.Status.ExpiresAt = moment(99) })
		}, "grant: it lasts longer"},
		"a grant without a review": {func(_ *testing.T, f files) { delete(f, "reviews/request.json") }, "grant: access was granted at"},
		"a later grant": {func(t *testing.T, f files) {
			edit(t, f, "request.json", func(r *v1alpha1.TaskAccessRequest) { r.Status.GrantedAt = moment(13) })
		}, "session 0195-a: an operation was let through at"},
		"a segment": {func(_ *testing.T, f files) { f[segment][len(f[segment])-9] ^= 1 }, "session 0195-a: corrupt"},
		"a segment that is gone": {func(_ *testing.T, f files) {
			delete(f, segment)
			delete(f, signature)
		}, "session 0195-a: corrupt (Drop)"},
		"a recording that is gone": {func(_ *testing.T, f files) {
			maps.DeleteFunc(f, func(name string, _ []byte) bool { return strings.HasPrefix(name, "recordings/0195-b/") })
		}, "session 0195-b: 2 events were reported, and its recording is not in the bundle"},
		"the last signature": {func(_ *testing.T, f files) { delete(f, "recordings/0195-a/00000003.sig") },
			"report: it says of session 0195-a what its recording does not show"},
		"the last segment and its signature": {func(_ *testing.T, f files) {
			delete(f, "recordings/0195-a/00000003.seg")
			delete(f, "recordings/0195-a/00000003.sig")
		}, "session 0195-a: "},
		"a recording of another": {func(_ *testing.T, f files) {
			for name, content := range f {
				if rest, ok := strings.CutPrefix(name, "recordings/0195-b/"); ok {
					f["recordings/0195-c/"+rest] = content
				}
			}
		}, "session 0195-c: corrupt (Foreign)"},
		"a head": {func(t *testing.T, f files) {
			edit(t, f, "request.json", func(r *v1alpha1.TaskAccessRequest) { r.Status.Recording.Head[0].Hash = strings.Repeat("0", 64) })
		}, "session 0195-a: corrupt (Rewrite)"},
		"what was held": {func(t *testing.T, f files) {
			edit(t, f, "reviews/held-0001.json", func(r *v1alpha1.ApprovalReview) {
				r.Spec.Question.Subject.Held.Digest = strings.Repeat("ef", 32)
			})
		}, "session 0195-a, operation 3: review pay-1423-held is about other bytes"},
		"a held operation's review that was denied": {func(t *testing.T, f files) {
			edit(t, f, "reviews/held-0001.json", func(r *v1alpha1.ApprovalReview) {
				r.Spec.Decisions[0].Verdict, r.Status.Latched[0].Verdict, r.Status.Outcome = v1alpha1.VerdictDeny, v1alpha1.VerdictDeny, v1alpha1.OutcomeDenied
			})
		}, "session 0195-a, operation 3: it was released as approved"},
		"the counts": {func(t *testing.T, f files) {
			edit(t, f, "facts.json", func(facts *evidence.Facts) { facts.Sessions[0].Contents.Verdicts["Deny"] = 0 })
		}, "report: it counts in session 0195-a what its recording does not show"},
		"the report": {func(_ *testing.T, f files) {
			f["report.md"] = bytes.Replace(f["report.md"], []byte("Deny 1"), []byte("Deny 0"), 1)
		}, "report: report.md does not say"},
		"the page": {func(_ *testing.T, f files) {
			f["report.html"] = bytes.Replace(f["report.html"], []byte("Deny 1"), []byte("Deny 0"), 1)
		}, "report: report.html does not say"},
		"an unknown field": {func(_ *testing.T, f files) {
			f["events.json"] = []byte(`[{"trust":"me"}]`)
		}, "bundle: a document cannot be read"},
		"the key": {func(_ *testing.T, f files) { f["keys/recording-fe812c12f3ab4ce6.pem"] = []byte("none") }, "bundle: a document cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := unpack(t, bundle)
			test.change(t, f)
			f.list(t)
			result := check(t, f.fs(), trusted())
			if got := said(result, evidence.Failed); result.Level() != evidence.Failed || !strings.Contains(got, test.says) {
				t.Errorf("does not say %q:\n%s", test.says, got)
			}
		})
	}
}

func TestARecordingThatAnotherKeySignedIsNotProved(t *testing.T) {
	t.Parallel()
	bundle := open(t, newWorld(t).bundle(t))
	trust := trusted()
	trust.Keys[0] = public(other)
	if result := check(t, bundle, trust); !strings.Contains(said(result, evidence.Failed), "session 0195-a: corrupt (Unproven)") {
		t.Error(said(result, evidence.Failed))
	}
	result := check(t, bundle, evidence.Trust{})
	if result.Level() != evidence.Gap || !strings.Contains(said(result, evidence.Gap), "keys: no key was given") {
		t.Errorf("%s%s", said(result, evidence.Failed), said(result, evidence.Gap))
	}
}

func TestWhatIsNotProvedIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*testing.T, *world)
		says   string
	}{
		"an unsigned session": {func(t *testing.T, w *world) {
			w.record(t, "0195-c", false, nil, record.Event{Type: record.EventEnd, End: &record.End{}})
		}, "session 0195-c: nothing of it is signed"},
		"a session without an end": {func(t *testing.T, w *world) {
			w.record(t, "0195-c", true, nil, record.Event{Type: record.EventNotice, Notice: "hello"})
		}, "session 0195-c: incomplete"},
		"a segment behind a signed end": {func(t *testing.T, w *world) {
			w.put(t, store.SegmentName("0195-b", 9999), []byte("anything"))
		}, "session 0195-b: behind its signed end somebody put 00009999.seg: unsigned, and no part of it"},
		"best effort": {func(_ *testing.T, w *world) { w.Request.Status.Recording.BestEffort = true }, "recordings: the policy let sessions go on unrecorded"},
		"what was lost": {func(_ *testing.T, w *world) {
			w.Request.Status.Recording.Lost = "session 0195-x: disk full"
			w.Request.Status.Recording.Head = append(w.Request.Status.Recording.Head, v1alpha1.RecordingHead{Session: "0195-x", Sequence: 3, Hash: strings.Repeat("0", 64)})
		}, "session 0195-x: 3 events were reported"},
		"a policy that was changed since": {func(_ *testing.T, w *world) { w.Policy.Spec.Isolation = "Reported" }, "policy: orders-fix was changed after the review"},
		"a policy that is gone":           {func(_ *testing.T, w *world) { w.Policy = nil }, "policy: it is not in the bundle"},
		"a review that is gone":           {func(_ *testing.T, w *world) { w.Reviews = w.Reviews[:1] }, "operation 3: review pay-1423-held, by which it was approved, is not in the bundle"},
		"sessions that were counted": {func(_ *testing.T, w *world) {
			w.Request.Status.Sessions = &v1alpha1.SessionCounts{Total: 5, Allowed: 9}
		}, "recordings: 5 sessions were counted, and there are 2 recordings"},
		"an open request": {func(_ *testing.T, w *world) {
			w.Request.Status.Teardown, w.Request.Status.ClosedAt = nil, nil
		}, "teardown: not begun"},
		"an abandoned target":  {func(_ *testing.T, w *world) { w.Request.Status.Teardown.Proved = false }, "teardown: not proved"},
		"what the maker noted": {func(_ *testing.T, w *world) { w.Notes = []string{"no rights"} }, "bundle: its maker says: no rights"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.change(t, w)
			result := check(t, open(t, w.bundle(t)), trusted())
			if got := said(result, evidence.Gap); result.Level() != evidence.Gap || !strings.Contains(got, test.says) {
				t.Errorf("does not say %q:\n%s\nfailed:\n%s", test.says, got, said(result, evidence.Failed))
			}
		})
	}
}

func TestAnEncryptedRecordingIsCheckedByItsBytesAndWithAnIdentityByItsContents(t *testing.T) {
	t.Parallel()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	blind := newWorld(t, identity.Recipient())
	seeing := newWorld(t, identity.Recipient())
	seeing.Identities = []age.Identity{identity}
	for name, test := range map[string]struct {
		bundle     []byte
		identities []age.Identity
		want       evidence.Level
		says       string
	}{
		"blind, blind":   {blind.bundle(t), nil, evidence.Gap, "it is encrypted"},
		"blind, seeing":  {blind.bundle(t), seeing.Identities, evidence.OK, ""},
		"seeing, blind":  {seeing.bundle(t), nil, evidence.Gap, "what it says of session 0195-a, session 0195-b cannot be counted again"},
		"seeing, seeing": {seeing.bundle(t), seeing.Identities, evidence.OK, ""},
	} {
		trust := trusted()
		trust.Identities = test.identities
		result := check(t, open(t, test.bundle), trust)
		if result.Level() != test.want || !strings.Contains(said(result, evidence.Gap), test.says) {
			t.Errorf("%s: %s\n%s", name, said(result, evidence.Failed), said(result, evidence.Gap))
		}
	}
	f := unpack(t, blind.bundle(t))
	f["recordings/0195-a/00000001.seg"][400] ^= 1
	f.list(t)
	if got := said(check(t, f.fs(), trusted()), evidence.Failed); !strings.Contains(got, "session 0195-a: corrupt") {
		t.Errorf("a changed byte passes: %s", got)
	}
}

func TestOldRecordingsAreEvidenceToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old, err := os.ReadFile("testdata/session-0.2.rec")
	if err != nil {
		t.Fatal(err)
	}
	w.put(t, store.Name{Session: "0190", Kind: store.KindLegacy}.String(), old)
	w.Request.Status.Recording.Head = append(w.Request.Status.Recording.Head, v1alpha1.RecordingHead{
		Session: "0190", Sequence: 2, Hash: "ebdf23bb2d53e760b18f12e7a4babf2126c194d3d55e8e5dc432ca94ab49b2af", Complete: true,
	})
	result := check(t, open(t, w.bundle(t)), trusted())
	if result.Level() != evidence.Gap || !strings.Contains(said(result, evidence.Gap), "session 0190: nothing of it is signed") {
		t.Errorf("%s\n%s", said(result, evidence.Failed), said(result, evidence.Gap))
	}
}
