package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// marks are the lines that the part of a page stands between.
func (s subject) marks() (begin, end string) {
	return "<!-- bench-" + s.name + ": begin -->", "<!-- bench-" + s.name + ": end -->"
}

// write leaves a page and its numbers in the folder, and publishes the first.
func (r *results) write(o options) error {
	page := r.page(o)
	fmt.Println(page)
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	content, err := json.MarshalIndent(r.rows(), "", "  ")
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{r.subject.name + ".md": []byte(page), r.subject.name + ".json": append(content, '\n')} {
		if err := os.WriteFile(filepath.Join(o.out, name), content, 0o644); err != nil {
			return err
		}
	}
	if o.publish == "" {
		return nil
	}
	return r.subject.publish(o.publish, page)
}

func (s subject) publish(path, part string) error {
	beginMark, endMark := s.marks()
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := bytes.Cut(page, []byte(beginMark))
	_, after, closed := bytes.Cut(rest, []byte(endMark))
	if !found || !closed {
		return fmt.Errorf("%s has no lines %s and %s", path, beginMark, endMark)
	}
	return os.WriteFile(path, fmt.Appendf(nil, "%s%s\n\n%s\n%s%s", before, beginMark, part, endMark, after), 0o644)
}

type row struct {
	Measure string    `json:"measure"`
	Unit    string    `json:"unit"`
	Name    string    `json:"contender"`
	Leg     leg       `json:"leg"`
	Median  float64   `json:"median"`
	Samples []float64 `json:"samples"`
}

func (r *results) rows() []row {
	rows := make([]row, 0, len(r.order))
	for _, k := range r.order {
		median, _ := r.median(k.measure, k.name, k.leg)
		rows = append(rows, row{k.measure, units[k.measure], k.name, k.leg, median, r.samples[k]})
	}
	return rows
}

// page is the tables and the plot, in Markdown.
func (r *results) page(o options) string {
	var b strings.Builder
	version, _ := exec.Command("psql", "--version").Output()
	fmt.Fprintf(&b, "%d processors, %s, %s; %d rounds, %d s a pgbench run, %d rows.\n\n",
		runtime.NumCPU(), strings.TrimSpace(string(version)), runtime.Version(), o.rounds, o.seconds, o.rows)
	b.WriteString("| goal |")
	for _, l := range r.subject.legs {
		fmt.Fprintf(&b, " %s |", l)
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(r.subject.legs)) + "\n")
	for _, g := range r.subject.goals {
		fmt.Fprintf(&b, "| %s: %s |", g.measure, g.name)
		for _, l := range r.subject.legs {
			said, _ := r.judge(g, l)
			fmt.Fprintf(&b, " %s |", said)
		}
		b.WriteString("\n")
	}
	for _, measure := range []string{flushesAlone, flushes} {
		if rate, ok := r.median(measure, "disk", plain); ok {
			fmt.Fprintf(&b, "\nThe disk itself, %s: %.4g a second.\n", measure, rate)
		}
	}
	for _, measure := range r.subject.tables {
		r.table(&b, measure)
	}
	r.plot(&b)
	return b.String()
}

func (r *results) names(measure string) (names []string) {
	for _, k := range r.order {
		if k.measure == measure && !slices.Contains(names, k.name) {
			names = append(names, k.name)
		}
	}
	return names
}

func (r *results) table(b *strings.Builder, measure string) {
	fmt.Fprintf(b, "\n| %s, %s |", measure, units[measure])
	for _, l := range r.subject.legs {
		fmt.Fprintf(b, " %s | of %s |", l, r.subject.baseline)
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- | --- |", len(r.subject.legs)) + "\n")
	for _, name := range r.names(measure) {
		fmt.Fprintf(b, "| %s |", name)
		for _, l := range r.subject.legs {
			value, ok := r.median(measure, name, l)
			baseline, hasBaseline := r.median(measure, r.subject.baseline, l)
			if !ok || !hasBaseline {
				b.WriteString(" | |")
				continue
			}
			fmt.Fprintf(b, " %.4g | %.2f |", value, value/baseline)
		}
		b.WriteString("\n")
	}
}

// plot is throughput as a share of the baseline's.
func (r *results) plot(b *strings.Builder) {
	for _, measure := range r.subject.plots {
		names := r.names(measure)
		labels, bars := make([]string, len(names)), map[leg][]string{}
		for i, name := range names {
			labels[i] = fmt.Sprintf("%q", name)
			for _, l := range r.subject.legs {
				value, _ := r.median(measure, name, l)
				baseline, _ := r.median(measure, r.subject.baseline, l)
				bars[l] = append(bars[l], fmt.Sprintf("%.2f", value/baseline))
			}
		}
		what := "of " + r.subject.baseline
		if len(r.subject.legs) > 1 {
			what += " (bars: plain, line: TLS)"
		}
		fmt.Fprintf(b, "\n```mermaid\nxychart-beta\n  title \"%s, %s\"\n", measure, what)
		fmt.Fprintf(b, "  x-axis [%s]\n  y-axis \"share\" 0 --> 1.6\n", strings.Join(labels, ", "))
		fmt.Fprintf(b, "  bar [%s]\n", strings.Join(bars[plain], ", "))
		if len(r.subject.legs) > 1 {
			fmt.Fprintf(b, "  line [%s]\n", strings.Join(bars[tlsOn], ", "))
		}
		b.WriteString("```\n")
	}
}
