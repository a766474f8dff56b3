package recording_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/internal/cli/recording"
	"github.com/sallyport/sallyport/internal/cli/recording/recordingtest"
	"github.com/sallyport/sallyport/internal/record"
)

// names are the folders of an archive, and what their sessions hold.
func names(t *testing.T, archive *recording.Archive) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, folder := range archive.Tasks {
		sessions, err := folder.Sessions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, session := range sessions {
			objects, err := folder.List(t.Context(), session)
			if err != nil {
				t.Fatal(err)
			}
			for _, object := range objects {
				found[folder.Name] = append(found[folder.Name], object.Name)
				in, err := folder.Open(t.Context(), object.Name, 1)
				if err != nil {
					t.Fatal(err)
				}
				if rest, err := io.ReadAll(in); err != nil || int64(len(rest)) != object.Size-1 {
					t.Errorf("%s: %d bytes, %v", object.Name, len(rest), err)
				}
			}
		}
	}
	return found
}

type entry struct {
	name, content string
	kind          byte
	link          string
}

func tarFile(t *testing.T, entries ...entry) string {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Mode: 0o600, Size: int64(len(e.content))}
		if e.kind == 0 {
			header.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "bundle.tar")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAFolderAndATarFileHoldTheSameRecordings(t *testing.T) {
	t.Parallel()
	entries := []entry{
		{name: "report.md", content: "# what happened"},
		{name: "recordings/u1/s1/00000001.seg", content: "first"},
		{name: "recordings/u1/s1/00000001.sig", content: "signed"},
		{name: "recordings/u1/s1/journal-00000002", content: strings.Repeat("j", 70_000)},
		{name: "recordings/u1/old.rec", content: "old"},
		{name: "recordings/u2/s2/00000001.seg", content: "second"},
	}
	folder := t.TempDir()
	for _, e := range entries {
		file := filepath.Join(folder, e.name)
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(e.content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string][]string{
		"recordings/u1": {"old.rec", "s1/00000001.seg", "s1/00000001.sig", "s1/journal-00000002"},
		"recordings/u2": {"s2/00000001.seg"},
	}
	for name, from := range map[string]string{"folder": folder, "tar": tarFile(t, entries...), "tar with ./": tarFile(t, dotted(entries)...)} {
		archive, err := recording.OpenArchive(t.Context(), from)
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(want, names(t, archive)); diff != "" {
			t.Error(name, diff)
		}
		if err := archive.Close(); err != nil {
			t.Error(err)
		}
	}
}

func dotted(entries []entry) []entry {
	out := []entry{{name: "./", kind: tar.TypeDir}}
	for _, e := range entries {
		e.name = "./" + e.name
		out = append(out, e)
	}
	return out
}

func TestREC3_ATarFileLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	segment := entry{name: "s1/00000001.seg", content: "first"}
	for name, entries := range map[string][]entry{
		"above":              {segment, {name: "../s2/00000001.seg", content: "x"}},
		"absolute":           {segment, {name: "/s2/00000001.seg", content: "x"}},
		"two of one name":    {segment, {name: "s1/00000001.seg", content: "other"}},
		"below a file":       {segment, {name: "s1/00000001.seg/x", content: "x"}},
		"deep":               {segment, {name: strings.Repeat("a/", 40) + "00000001.seg", content: "x"}},
		"no recording in it": {{name: "report.md", content: "x"}},
	} {
		if archive, err := recording.OpenArchive(t.Context(), tarFile(t, entries...)); err == nil {
			t.Errorf("%s is taken: %v", name, names(t, archive))
		}
	}
	archive, err := recording.OpenArchive(t.Context(), tarFile(t, segment,
		entry{name: "s1/00000002.seg", kind: tar.TypeSymlink, link: "/etc/passwd"}, entry{name: "s1/journal-00000003", kind: tar.TypeLink, link: "/etc/passwd"}))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]string{".": {"s1/00000001.seg"}}, names(t, archive)); diff != "" {
		t.Error(diff)
	}
}

func TestREC3_AFolderLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	folder := recordingtest.New(t)
	folder.Session(t, recordingtest.Start("s1"), recordingtest.End(0, 0))
	for link, to := range map[string]string{"s2": "/etc", "s1/00000002.seg": "/etc/passwd", "s3.rec": "/etc/passwd"} {
		if err := os.Symlink(to, filepath.Join(folder.Path, link)); err != nil {
			t.Fatal(err)
		}
	}
	archive, err := recording.OpenArchive(t.Context(), folder.Path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]string{".": {"s1/00000001.seg", "s1/00000001.sig"}}, names(t, archive)); diff != "" {
		t.Error(diff)
	}
}

func TestARecordingOfEachReleasedVersionIsRead(t *testing.T) {
	t.Parallel()
	const testdata = "../../record/testdata/"
	for _, from := range []recording.Source{
		{From: testdata + "0.1/session.rec"}, {From: testdata + "0.2/session.rec"}, {From: testdata + "1.0/plain"},
		{From: testdata + "1.0/encrypted", Identities: []string{testdata + "1.0/identity.txt"}},
	} {
		opened, err := from.Open(t.Context())
		if err != nil {
			t.Error(err)
			continue
		}
		sessions, err := opened.Tasks[0].Choose(t.Context(), "")
		if err != nil || len(sessions) == 0 {
			t.Fatal(from.From, sessions, err)
		}
		for _, session := range sessions {
			if v := opened.Look(t.Context(), opened.Tasks[0], session, true); v.State == recording.Unreadable || v.Start == nil || v.Operations == 0 {
				t.Errorf("%s: %+v", from.From, v)
			}
		}
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	}
	sealed := recording.Source{From: testdata + "1.0/encrypted"}
	opened, err := sealed.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := opened.Tasks[0].Choose(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if v := opened.Look(t.Context(), opened.Tasks[0], sessions[0], false); v.State != recording.Encrypted || v.Segments == 0 {
		t.Errorf("without an identity: %+v", v)
	}
	bad := recording.Source{From: testdata + "1.0/plain", Identities: []string{testdata + "0.1/session.rec"}}
	if _, err := bad.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "holds no age identities") {
		t.Error(err)
	}
}

func TestAnOverviewTellsTheStatesApart(t *testing.T) {
	t.Parallel()
	folder := recordingtest.New(t)
	operations := []record.Event{
		recordingtest.Operation(1, "select", "SELECT 1", "Allow"), recordingtest.Result(1, 1, "SELECT 1"),
		recordingtest.Operation(2, "drop table", "DROP TABLE x", "Deny"),
		{Type: record.EventOperation, Operation: &record.Operation{ID: 3, Text: "UPDATE x"}},
		{Type: record.EventHold, Hold: &record.Hold{Operation: 3, Point: "Statement"}},
		{Type: record.EventHold, Hold: &record.Hold{Operation: 3, Point: "Statement", Outcome: "Approved"}},
		{Type: record.EventVerdict, Verdict: &record.Verdict{Operation: 3, Effect: "Allow"}},
	}
	folder.Session(t, recordingtest.Start("whole"), append(operations, recordingtest.End(2, 1))...)
	folder.Session(t, recordingtest.Start("died"), operations...)
	folder.Session(t, recordingtest.Start("short"))
	folder.Session(t, recordingtest.Start("broken"), operations...)
	if err := os.WriteFile(filepath.Join(folder.Path, "broken", "00000001.seg"), []byte("no segment"), 0o600); err != nil {
		t.Fatal(err)
	}
	source := recording.Source{From: folder.Path}
	opened, err := source.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for session, want := range map[string]recording.Overview{
		"whole": {State: recording.Complete, Operations: 3, Refused: 1, Held: 1, Events: 9},
		"died":  {State: recording.Incomplete, Operations: 3, Refused: 1, Held: 1, Events: 8},
		"short": {State: recording.Incomplete, Events: 1},
	} {
		got := opened.Look(t.Context(), opened.Tasks[0], session, true)
		if got.Operations != want.Operations || got.Refused != want.Refused || got.Held != want.Held || got.Events != want.Events ||
			got.State != want.State || got.Segments != 1 || got.Signed != 1 || got.Start.User != "bob" {
			t.Errorf("%s: %+v", session, got)
		}
	}
	if got := opened.Look(t.Context(), opened.Tasks[0], "broken", true); got.State != recording.Unreadable || got.Problem == "" {
		t.Errorf("broken: %+v", got)
	}
}
