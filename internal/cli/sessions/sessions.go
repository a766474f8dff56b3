// Package sessions is kubectl access sessions: what was recorded, a row a session.
package sessions

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/recording"
	"github.com/sallyport/sallyport/internal/cli/terminal"
	"github.com/sallyport/sallyport/internal/record"
)

// Options of sessions.
type Options struct {
	genericiooptions.IOStreams
	recording.Source

	// Count reads every event, however many.
	Count bool
	// Output is table, or json.
	Output string
}

// Row is a session of a request.
type Row struct {
	Request string `json:"request"`
	recording.Overview
}

// Complete has nothing to find out.
func (*Options) Complete() error { return nil }

// Validate refuses unknown formats.
func (o *Options) Validate() error {
	if o.Output != "" && o.Output != "json" {
		return fmt.Errorf("unknown output format %q: use json", o.Output)
	}
	if o.Name == "" && o.UID == "" && o.From == "" {
		return nil
	}
	return o.Source.Validate("list")
}

// Run prints the sessions, the oldest first.
func (o *Options) Run(ctx context.Context) (err error) {
	opened, several, failed, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	progress := terminal.NewProgress(o.ErrOut)
	var rows []Row
	for _, t := range opened.Tasks {
		progress.Tick("looking at the sessions of %s", t.Label)
		sessions, err := t.Choose(ctx, o.Session)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", t.Label, err))
			continue
		}
		for _, session := range sessions {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			rows = append(rows, Row{t.Label, opened.Look(ctx, t, session, o.Count)})
		}
	}
	progress.Done()
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(a.Began.Compare(b.Began), strings.Compare(a.Session, b.Session))
	})
	if len(rows) == 0 && len(failed) == 0 && len(opened.Tasks) == 1 {
		_, err := fmt.Fprintln(o.ErrOut, record.PrintableLine(opened.Tasks[0].None().Error()))
		return err
	}
	return errors.Join(append(failed, o.print(rows, several))...)
}

// open opens the recordings of one request, or of every one in the namespace.
func (o *Options) open(ctx context.Context) (opened *recording.Opened, several bool, failed []error, err error) {
	if o.Name != "" || o.UID != "" || o.From != "" {
		opened, err = o.Open(ctx)
		return opened, err == nil && len(opened.Tasks) > 1, nil, err
	}
	opened, failed, err = o.OpenAll(ctx, func(*v1alpha1.TaskAccessRequest) bool { return true })
	return opened, true, failed, err
}

func (o *Options) print(rows []Row, several bool) error {
	if o.Output == "json" {
		return printJSON(o.Out, rows)
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(o.ErrOut, "No sessions found: nobody has connected.")
		return err
	}
	headers := []string{"SESSION", "USER", "BEGAN", "DURATION", "OPERATIONS", "REFUSED", "HELD", "SIZE", "STATE", "SIGNED"}
	if several {
		headers = append([]string{"REQUEST"}, headers...)
	}
	table := terminal.NewTable(o.Out, headers...)
	uncounted := false
	for _, row := range rows {
		cells := o.cells(row.Overview)
		if several {
			cells = append([]string{row.Request}, cells...)
		}
		table.Row(cells...)
		uncounted = uncounted || !row.Counted && row.Start != nil
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, row := range rows {
		if row.Problem != "" {
			fmt.Fprintln(o.ErrOut, record.PrintableLine(fmt.Sprintf("session %s: %s", row.Session, row.Problem)))
		}
	}
	if uncounted {
		fmt.Fprintln(o.ErrOut, "? was not counted: --count reads long recordings whole.")
	}
	return nil
}

func (o *Options) cells(v recording.Overview) []string {
	cells := []string{v.Session, "", "", "", "", "", "", size(v.Bytes), string(v.State), signed(v)}
	if v.Start == nil {
		return cells
	}
	last := v.Last
	if v.State == recording.Live && o.Factory != nil {
		last = o.Factory.Now()
	}
	known := v.Counted || v.State == recording.Complete
	cells[1], cells[2], cells[3] = v.Start.User, v.Began.UTC().Format("2006-01-02 15:04:05Z"), duration(last.Sub(v.Began))
	cells[4], cells[5], cells[6] = number(v.Operations, known), number(v.Refused, known), number(v.Held, v.Counted)
	return cells
}

func number(n int64, known bool) string {
	if !known {
		return "?"
	}
	return fmt.Sprint(n)
}

// signed is how many segments have a signature beside them.
func signed(v recording.Overview) string {
	switch {
	case v.Segments == 0, v.Signed == 0:
		return "No"
	case v.Signed >= v.Segments:
		return "Yes"
	}
	return fmt.Sprintf("%d of %d", v.Signed, v.Segments)
}

func duration(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// size is bytes in the units that people know.
func size(bytes int64) string {
	for _, unit := range []struct {
		bytes int64
		name  string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if bytes >= unit.bytes {
			return fmt.Sprintf("%.1f%s", float64(bytes)/float64(unit.bytes), unit.name)
		}
	}
	return fmt.Sprintf("%dB", bytes)
}

func printJSON(out io.Writer, rows []Row) error {
	if rows == nil {
		rows = []Row{}
	}
	encoded, err := json.MarshalIndent(map[string]any{"sessions": rows}, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, record.Printable(string(encoded)))
	return err
}
