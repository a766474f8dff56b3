package record_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/internal/nstest"
	"github.com/sallyport/sallyport/internal/record"
)

const victimEnv = "SALLYPORT_RECORD_VICTIM"

// TestREC1_WhatAppendTookSurvivesTheKill runs itself as a process that records and says
// so, and kills it without a warning.
func TestREC1_WhatAppendTookSurvivesTheKill(t *testing.T) {
	if spool := os.Getenv(victimEnv); spool != "" {
		victim(t, spool)
		return
	}
	t.Parallel()
	for i, said := range []int64{2, 50, 1000, 5000, 9000} {
		for _, kind := range []string{"mapped", "written"} {
			spool := t.TempDir()
			process := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$")
			process.Env = append(os.Environ(), victimEnv+"="+spool, "SALLYPORT_RECORD_KIND="+kind)
			out, err := process.StdoutPipe()
			if err == nil {
				err = process.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			var last int64
			for lines := bufio.NewScanner(out); lines.Scan(); {
				if last, err = strconv.ParseInt(lines.Text(), 10, 64); err != nil {
					t.Fatal(lines.Text())
				}
				if last == said {
					_ = process.Process.Kill()
				}
			}
			_ = process.Wait()
			if last < said {
				t.Fatalf("run %d said %d", i, last)
			}
			resumes(t, spool, nil, last, nil)
		}
	}
}

func victim(t *testing.T, spool string) {
	options := record.Options{Start: start, Spool: spool, SegmentBytes: 64 << 10, Sealed: func(record.Sealed) {}}
	if os.Getenv("SALLYPORT_RECORD_KIND") == "written" {
		options = record.Written(options)
	}
	w, err := record.NewWriter(options)
	if err != nil {
		t.Fatal(err)
	}
	for n := int64(1); n < 1_000_000 && err == nil; n++ {
		if n%10 == 0 {
			err = w.Append(record.Event{Type: record.EventOutput, Output: &record.Output{Operation: n, Bytes: 3000, Block: make([]byte, 3000)}})
		} else {
			err = w.AppendOperation(&record.Operation{ID: n, Kind: "select", Text: "SELECT 1"}, nil)
		}
		fmt.Println(n + 1)
	}
	t.Fatal(err)
}

// TestREC1_AFullVolumeIsAnErrorNotASignal runs itself where there is a filesystem of
// 1 MiB: who writes to a mapping without blocks dies of SIGBUS.
func TestREC1_AFullVolumeIsAnErrorNotASignal(t *testing.T) {
	nstest.Small(t, 1<<20, overfill)
}

func overfill(t *testing.T, folder string) {
	t.Helper()
	for _, written := range []bool{false, true} {
		options := record.Options{Start: start, Spool: folder + "/" + strconv.FormatBool(written)}
		if written {
			options = record.Written(options)
		}
		w, err := record.NewWriter(options)
		if err != nil {
			t.Fatal(err)
		}
		var taken int64
		for err == nil {
			taken = w.Head().Sequence
			err = w.Append(record.Event{Type: record.EventOutput, Output: &record.Output{Bytes: 5000, Block: make([]byte, 5000)}})
		}
		if !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
		_ = w.Close()
		found, err := record.Resume(options.Spool, nil)
		if err != nil && !errors.Is(err, unix.ENOSPC) || len(found) == 0 || found[len(found)-1].Last < taken {
			t.Fatalf("%d taken, %d segments, %v", taken, len(found), err)
		}
		if err := os.RemoveAll(options.Spool); err != nil {
			t.Fatal(err)
		}
	}
}

func TestREC1_AJournalThatLostItsBlocksIsAnErrorNotASignal(t *testing.T) {
	t.Parallel()
	spool := t.TempDir()
	sealed := 0
	w, err := record.NewWriter(record.Options{Start: start, Spool: spool, Sealed: func(record.Sealed) { sealed++ }})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(spool+"/journal-00000001", 0); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := w.AppendResult(&record.Result{Tag: "SELECT 1"}); err == nil || !strings.Contains(err.Error(), "journal's disk") {
			t.Error(err)
		}
		w.Head()
	}
	if err := w.Close(); err == nil || sealed > 0 {
		t.Errorf("%d sealed, %v", sealed, err)
	}
}
