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

// The part of a page between these lines is the table's.
const (
	beginMark = "<!-- bench-postgres: begin -->"
	endMark   = "<!-- bench-postgres: end -->"
)

// write leaves postgres.md and postgres.json in the folder, and publishes the first.
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
	for name, content := range map[string][]byte{"postgres.md": []byte(page), "postgres.json": append(content, '\n')} {
		if err := os.WriteFile(filepath.Join(o.out, name), content, 0o644); err != nil {
			return err
		}
	}
	if o.publish == "" {
		return nil
	}
	return publish(o.publish, page)
}

func publish(path, part string) error {
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
	b.WriteString("| goal | plain | TLS |\n| --- | --- | --- |\n")
	for _, g := range goals {
		onPlain, _ := r.judge(g, plain)
		onTLS, _ := r.judge(g, tlsOn)
		fmt.Fprintf(&b, "| %s: %s | %s | %s |\n", g.measure, g.name, onPlain, onTLS)
	}
	for _, measure := range []string{simple, prepared, oneClient, wide, processor} {
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
	fmt.Fprintf(b, "\n| %s, %s | plain | of the relay | TLS | of the relay |\n| --- | --- | --- | --- | --- |\n", measure, units[measure])
	for _, name := range r.names(measure) {
		fmt.Fprintf(b, "| %s |", name)
		for _, l := range []leg{plain, tlsOn} {
			value, ok := r.median(measure, name, l)
			relay, hasRelay := r.median(measure, "relay", l)
			if !ok || !hasRelay {
				b.WriteString(" | |")
				continue
			}
			fmt.Fprintf(b, " %.4g | %.2f |", value, value/relay)
		}
		b.WriteString("\n")
	}
}

// plot is throughput as a share of the relay's.
func (r *results) plot(b *strings.Builder) {
	for _, measure := range []string{simple, prepared, wide} {
		names := r.names(measure)
		labels, bars := make([]string, len(names)), map[leg][]string{}
		for i, name := range names {
			labels[i] = fmt.Sprintf("%q", name)
			for _, l := range []leg{plain, tlsOn} {
				value, _ := r.median(measure, name, l)
				relay, _ := r.median(measure, "relay", l)
				bars[l] = append(bars[l], fmt.Sprintf("%.2f", value/relay))
			}
		}
		fmt.Fprintf(b, "\n```mermaid\nxychart-beta\n  title \"%s, of the bare relay (bars: plain, line: TLS)\"\n", measure)
		fmt.Fprintf(b, "  x-axis [%s]\n  y-axis \"share\" 0 --> 1.6\n", strings.Join(labels, ", "))
		fmt.Fprintf(b, "  bar [%s]\n  line [%s]\n```\n", strings.Join(bars[plain], ", "), strings.Join(bars[tlsOn], ", "))
	}
}
