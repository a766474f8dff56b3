package export_test

import (
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/internal/cli/export"
	"github.com/sallyport/sallyport/internal/cli/kube"
	"github.com/sallyport/sallyport/internal/cli/recording"
	"github.com/sallyport/sallyport/internal/cli/recording/recordingtest"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/transcript"
)

// exported runs the verb offline: what it prints, what it says beside it, and its error.
func exported(t *testing.T, o export.Options) (out, said string, err error) {
	t.Helper()
	streams, _, stdout, stderr := genericiooptions.NewTestIOStreams()
	o.IOStreams = streams
	if err = errors.Join(o.Validate(), o.Complete()); err == nil {
		err = o.Run(t.Context())
	}
	return stdout.String(), stderr.String(), err
}

func from(folder *recordingtest.Folder) recording.Source { return recording.Source{From: folder.Path} }

// two is a folder with two sessions of one statement each.
func two(t *testing.T) *recordingtest.Folder {
	t.Helper()
	folder := recordingtest.New(t)
	for _, session := range []string{"s1", "s2"} {
		folder.Session(t, recordingtest.Start(session), statement("SELECT '"+session+"'")...)
	}
	return folder
}

func statement(text string) []record.Event {
	return []record.Event{recordingtest.Operation(1, "select", text, "Allow"), recordingtest.Result(1, 1, "SELECT 1"), recordingtest.End(1, 0)}
}

func TestEverySessionIsExportedOneAfterTheOther(t *testing.T) {
	t.Parallel()
	out, _, err := exported(t, export.Options{Source: from(two(t)), Format: transcript.FormatCSV})
	rows, parse := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || parse != nil || len(rows) != 3 || rows[1][5] != "SELECT 's1'" || rows[2][5] != "SELECT 's2'" {
		t.Errorf("%v, %v\n%s", err, parse, out)
	}
	source := from(two(t))
	source.Session = "s2"
	out, _, err = exported(t, export.Options{Source: source, Format: transcript.FormatJSONL})
	if err != nil || strings.Count(out, "\n") != 4 || strings.Contains(out, "s1") {
		t.Errorf("one session: %v\n%s", err, out)
	}
}

func TestAFileIsThereWhenItIsWholeAndItsOwnersAlone(t *testing.T) {
	t.Parallel()
	folder, place := two(t), t.TempDir()
	file := filepath.Join(place, "page.html")
	out, _, err := exported(t, export.Options{Source: from(folder), Format: transcript.FormatHTML, File: file})
	if err != nil || out != "" {
		t.Errorf("%v, printed %q", err, out)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() == 0 {
		t.Errorf("%+v, %v", info, err)
	}
	// An asciicast holds one session: nothing is left of what could not be made.
	_, _, err = exported(t, export.Options{Source: from(folder), Format: transcript.FormatAsciicast, File: filepath.Join(place, "x.cast")})
	if err == nil || !strings.Contains(err.Error(), "one of s1, s2") {
		t.Errorf("two sessions in an asciicast: %v", err)
	}
	if entries, err := os.ReadDir(place); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestWhatIsNotWholeIsExportedUpToThereAndSaid(t *testing.T) {
	t.Parallel()
	folder := two(t)
	folder.Session(t, recordingtest.Start("s0"), statement("SELECT 0")[:2]...)
	options := export.Options{Source: from(folder), Format: transcript.FormatCSV}
	out, said, err := exported(t, options)
	if kube.ExitCode(err) != 2 || strings.Count(out, "SELECT '") != 2 || !strings.Contains(out, "SELECT 0") || !strings.Contains(said, "session s0: incomplete") {
		t.Errorf("no end: %v\n%s%s", err, out, said)
	}
	if err := os.WriteFile(filepath.Join(folder.Path, "s1", "00000001.seg"), []byte("\x1b[2J"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, said, err = exported(t, options)
	if kube.ExitCode(err) != 1 || !strings.Contains(out, "SELECT 's2'") || !strings.Contains(said, "session s1: corrupt") || strings.Contains(said, "\x1b") {
		t.Errorf("corrupt: %v\n%s%s", err, out, said)
	}
}

// What somebody put behind the end is no part of the session, and fails no export of it.
func TestASegmentBehindTheEndFailsNoExport(t *testing.T) {
	t.Parallel()
	folder := two(t)
	if err := os.WriteFile(filepath.Join(folder.Path, "s1", "00009999.seg"), []byte("anything"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, said, err := exported(t, export.Options{Source: from(folder), Format: transcript.FormatCSV}); err != nil || strings.Count(out, "SELECT '") != 2 {
		t.Errorf("%v\n%s%s", err, out, said)
	}
}

func TestAFormatThatIsNotKnownIsRefusedWithThoseThatAre(t *testing.T) {
	t.Parallel()
	_, _, err := exported(t, export.Options{Source: from(two(t)), Format: "pdf"})
	if err == nil || !strings.Contains(err.Error(), strings.Join(transcript.Formats, ", ")) {
		t.Error(err)
	}
	if _, _, err := exported(t, export.Options{Format: transcript.FormatCSV}); err == nil {
		t.Error("nothing to export, and no error")
	}
}
