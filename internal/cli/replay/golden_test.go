package replay_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/cli/recording/recordingtest"
	"github.com/sallyport/sallyport/internal/cli/replay"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/transcript"
)

// goldenSession is what the SSH engine records of a real shell, masked: its own test
// compares it byte for byte.
func goldenSession(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "proxy", "ssh", "testdata", "terminal.golden"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// recordedGolden is a folder with that session, in events of 100 bytes.
func recordedGolden(t *testing.T) *recordingtest.Folder {
	t.Helper()
	folder := recordingtest.New(t)
	events := []record.Event{{Type: record.EventTerminal, Terminal: &record.Terminal{Operation: 1, Kind: "resize", Cols: 80, Rows: 24}}}
	for text := goldenSession(t); text != ""; {
		n := min(100, len(text))
		events, text = append(events, screen(text[:n])), text[n:]
	}
	folder.Session(t, ssh("0195"), append(events, record.Event{Type: record.EventEnd, End: &record.End{Reason: "exit"}})...)
	return folder
}

func TestARealMaskedTerminalIsReplayedByteForByte(t *testing.T) {
	t.Parallel()
	out, _, err := replayed(t, recordedGolden(t), func(o *replay.Options) {
		o.Terminal = true
		o.Wait = func(context.Context, time.Duration) error { return nil }
	})
	if err != nil {
		t.Fatal(err)
	}
	var filter transcript.Filter
	want := string(filter.Write([]byte(goldenSession(t))))
	if !strings.Contains(out, want) {
		t.Errorf("the replay has not the very bytes:\n%q\nwant\n%q", out, want)
	}
	for _, secret := range []string{"example", "4111", "PRIVATE KEY"} {
		if strings.Contains(out, secret) {
			t.Errorf("it shows %s", secret)
		}
	}
}

func TestARealMaskedTerminalIsLinesOfTextElsewhere(t *testing.T) {
	t.Parallel()
	out, _, err := replayed(t, recordedGolden(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "masked-shell.txt", out)
}
