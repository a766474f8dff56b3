package verify_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/recording"
	"github.com/sallyport/sallyport/internal/cli/recording/recordingtest"
	"github.com/sallyport/sallyport/internal/cli/verify"
	"github.com/sallyport/sallyport/internal/record"
)

// verified runs the verb on a folder, offline.
func verified(t *testing.T, folder *recordingtest.Folder, change func(o *verify.Options)) (string, int) {
	t.Helper()
	streams, _, out, _ := genericiooptions.NewTestIOStreams()
	o := &verify.Options{IOStreams: streams, Source: recording.Source{From: folder.Path}}
	if change != nil {
		change(o)
	}
	if err := errors.Join(o.Validate(), o.Complete()); err != nil {
		t.Fatal(err)
	}
	err := o.Run(t.Context())
	if message := kube.Message(err); message != "" {
		return out.String() + message, kube.ExitCode(err)
	}
	return out.String(), kube.ExitCode(err)
}

// key is the folder's public key in a file.
func key(t *testing.T, folder *recordingtest.Folder) func(o *verify.Options) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "recording.pem")
	if err := os.WriteFile(file, []byte(folder.PublicPEM(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(o *verify.Options) { o.KeyFiles = []string{file} }
}

func events() []record.Event {
	var events []record.Event
	for id := range int64(12) {
		events = append(events, recordingtest.Operation(id+1, "select", strings.Repeat("SELECT 1; ", 8), "Allow"), recordingtest.Result(id+1, 1, "SELECT 1"))
	}
	return append(events, recordingtest.End(12, 0))
}

// signedSession is a folder with one session of several signed segments, s1.
func signedSession(t *testing.T) *recordingtest.Folder {
	t.Helper()
	folder := recordingtest.New(t)
	folder.SegmentBytes = 1000
	folder.Session(t, recordingtest.Start("s1"), events()...)
	return folder
}

func TestASignedRecordingIsVerifiedOfflineWithThePublicKey(t *testing.T) {
	t.Parallel()
	folder := signedSession(t)
	out, code := verified(t, folder, key(t, folder))
	if code != 0 || !strings.HasPrefix(out, "session s1: OK: complete, and its chain is whole\n  26 events, 12 operations by bob") || !strings.Contains(out, "signed up to segment") {
		t.Errorf("%d\n%s", code, out)
	}
	out, code = verified(t, folder, nil)
	if code != 3 || !strings.HasPrefix(out, "session s1: UNVERIFIED: ") || !strings.Contains(out, "--key FILE") {
		t.Errorf("without a key: %d\n%s", code, out)
	}
	out, code = verified(t, folder, func(o *verify.Options) { o.WithoutKey = true })
	if code != 0 || !strings.HasPrefix(out, "session s1: OK (without a key): ") {
		t.Errorf("by itself: %d\n%s", code, out)
	}
	out, code = verified(t, folder, key(t, recordingtest.New(t)))
	if code != 1 || !strings.Contains(out, "FAILED") || !strings.Contains(out, "key") {
		t.Errorf("with another key: %d\n%s", code, out)
	}
}

func TestREC2_VerifySaysWhatWasDoneAndWhere(t *testing.T) {
	t.Parallel()
	name := func(folder *recordingtest.Folder, object string) string {
		return filepath.Join(folder.Path, "s1", object)
	}
	change := func(t *testing.T, file string, do func([]byte) []byte) {
		t.Helper()
		content, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(file, do(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for what, test := range map[string]struct {
		do   func(t *testing.T, f *recordingtest.Folder)
		want []string
	}{
		"flip": {func(t *testing.T, f *recordingtest.Folder) {
			change(t, name(f, "00000002.seg"), func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		}, []string{"(Flip)", "segment 2"}},
		"drop": {func(t *testing.T, f *recordingtest.Folder) {
			must(t, errors.Join(os.Remove(name(f, "00000002.seg")), os.Remove(name(f, "00000002.sig"))))
		}, []string{"(Drop)", "segment 2"}},
		"reorder": {func(t *testing.T, f *recordingtest.Folder) {
			must(t, errors.Join(os.Rename(name(f, "00000002.seg"), name(f, "x")), os.Rename(name(f, "00000003.seg"), name(f, "00000002.seg")),
				os.Rename(name(f, "x"), name(f, "00000003.seg"))))
		}, []string{"(Reorder)", "segment 2"}},
		"truncate": {func(t *testing.T, f *recordingtest.Folder) {
			change(t, name(f, "00000003.seg"), func(b []byte) []byte { return b[:len(b)-7] })
		}, []string{"(Truncate)", "segment 3"}},
		"duplicate": {func(t *testing.T, f *recordingtest.Folder) {
			change(t, name(f, "00000001.seg"), func(b []byte) []byte {
				must(t, os.WriteFile(name(f, "00000002.seg"), b, 0o600))
				return b
			})
		}, []string{"(Duplicate)", "segment 2"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			folder := signedSession(t)
			withKey := key(t, folder)
			test.do(t, folder)
			out, code := verified(t, folder, withKey)
			if code != 1 || !strings.HasPrefix(out, "session s1: FAILED: corrupt") {
				t.Errorf("%d\n%s", code, out)
			}
			for _, word := range test.want {
				if !strings.Contains(out, word) {
					t.Errorf("%q is missing in\n%s", word, out)
				}
			}
		})
	}
}

func TestREC2_AnUnfinishedTailIsToldFromTampering(t *testing.T) {
	t.Parallel()
	folder := recordingtest.New(t)
	live := folder.Begin(t, recordingtest.Start("s1"))
	live.Add(events()[:4]...)
	out, code := verified(t, folder, key(t, folder))
	if code != 2 || !strings.Contains(out, "INCOMPLETE") || !strings.Contains(out, "5 events") {
		t.Errorf("a live one: %d\n%s", code, out)
	}
	live.End()
	if out, code = verified(t, folder, key(t, folder)); code != 2 || !strings.Contains(out, "INCOMPLETE") || !strings.Contains(out, "signed up to segment 1") {
		t.Errorf("one whose proxy died: %d\n%s", code, out)
	}
}

func TestWhatIsNotSignedIsSaid(t *testing.T) {
	t.Parallel()
	folder := signedSession(t)
	withKey := key(t, folder)
	signatures, err := filepath.Glob(filepath.Join(folder.Path, "s1", "*.sig"))
	if err != nil || len(signatures) < 3 {
		t.Fatal(signatures, err)
	}
	if err := os.Remove(signatures[len(signatures)-1]); err != nil {
		t.Fatal(err)
	}
	if out, code := verified(t, folder, withKey); code != 3 || !strings.Contains(out, "UNSIGNED") || !strings.Contains(out, "on are not signed") {
		t.Errorf("%d\n%s", code, out)
	}
}

func TestREC2_ASegmentBehindTheSignedEndIsNamedAndSpoilsNothing(t *testing.T) {
	t.Parallel()
	folder := signedSession(t)
	if err := os.WriteFile(filepath.Join(folder.Path, "s1", "00009999.seg"), []byte("anything"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := verified(t, folder, key(t, folder))
	if code != 0 || !strings.HasPrefix(out, "session s1: OK") || !strings.Contains(out, "\n  behind its signed end somebody put 00009999.seg: unsigned") {
		t.Errorf("%d\n%s", code, out)
	}
}

func TestREC4_ACorruptRecordingBlocksNoOther(t *testing.T) {
	t.Parallel()
	folder := signedSession(t)
	folder.Session(t, recordingtest.Start("s0"), events()...)
	folder.Session(t, recordingtest.Start("s2"), events()...)
	if err := os.WriteFile(filepath.Join(folder.Path, "s1", "00000001.seg"), []byte("\x1b[2Jnothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := verified(t, folder, key(t, folder))
	if code != 1 || strings.Count(out, ": OK:") != 2 || strings.Count(out, ": FAILED:") != 1 || strings.Contains(out, "\x1b") {
		t.Errorf("%d\n%s", code, out)
	}
}

func TestAnEncryptedRecordingIsVerifiedWithoutAndWithItsIdentity(t *testing.T) {
	t.Parallel()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	folder := recordingtest.New(t)
	folder.Recipients = []age.Recipient{identity.Recipient()}
	folder.Session(t, recordingtest.Start("s1"), events()...)
	withKey := key(t, folder)
	if out, code := verified(t, folder, withKey); code != 0 || !strings.Contains(out, "events were not read") || strings.Contains(out, "bob") {
		t.Errorf("without: %d\n%s", code, out)
	}
	file := filepath.Join(t.TempDir(), "identity.txt")
	if err := os.WriteFile(file, []byte(identity.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, code := verified(t, folder, func(o *verify.Options) { withKey(o); o.Identities = []string{file} })
	if code != 0 || !strings.Contains(out, "12 operations by bob") {
		t.Errorf("with: %d\n%s", code, out)
	}
}

func TestAKeyFileThatHasNoneIsRefusedWithoutQuotingIt(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "key")
	for _, content := range []string{"secret", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		o := &verify.Options{KeyFiles: []string{file}}
		if err := o.Complete(); err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "c2Vj") {
			t.Error(err)
		}
	}
}

func TestAReportNeutralisesWhatOthersWrote(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	verify.Report(&out, "s1\x1b[2J", record.Summary{Start: &record.Start{User: "\x1b]0;x\x07"}, Segments: 1, Keys: []string{"\x1b"}}, record.Expectation{}, false, errors.New("\x1b[31m"))
	if strings.ContainsAny(out.String(), "\x1b\x07") {
		t.Errorf("%q", out.String())
	}
}

func TestREC3_AFolderNamedByAUIDHoldsThatRequestsRecordingsOnly(t *testing.T) {
	t.Parallel()
	volume := t.TempDir()
	const own, another = "0a1b2c3d-0000-4000-8000-000000000001", "0a1b2c3d-0000-4000-8000-000000000002"
	for _, uid := range []string{own, another} {
		folder := &recordingtest.Folder{Path: filepath.Join(volume, uid)}
		start := recordingtest.Start("s-" + uid[len(uid)-1:])
		start.RequestUID = own
		folder.Session(t, start, events()...)
	}
	out, code := verified(t, &recordingtest.Folder{Path: volume}, func(o *verify.Options) { o.WithoutKey = true })
	if code != 1 || !strings.Contains(out, "session s-1: OK") || !strings.Contains(out, "session s-2: FAILED: corrupt (Foreign)") {
		t.Errorf("%d\n%s", code, out)
	}
}
