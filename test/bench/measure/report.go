package measure

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// marks are the lines that the part of a page stands between.
func (s Subject) marks() (begin, end string) {
	return "<!-- bench-" + s.Name + ": begin -->", "<!-- bench-" + s.Name + ": end -->"
}

// Write leaves a page, which begins with what was run, and its numbers in the folder out,
// and puts the page between its marks in the page publish, if there is one.
func (r *Results) Write(what, out, publish string) error {
	page := r.page(what)
	fmt.Println(page)
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	content, err := json.MarshalIndent(r.rows(), "", "  ")
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{r.Subject.Name + ".md": []byte(page), r.Subject.Name + ".json": append(content, '\n')} {
		if err := os.WriteFile(filepath.Join(out, name), content, 0o644); err != nil {
			return err
		}
	}
	if publish == "" {
		return nil
	}
	return r.Subject.publish(publish, page)
}

func (s Subject) publish(path, part string) error {
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
	Leg     string    `json:"leg"`
	Median  float64   `json:"median"`
	Samples []float64 `json:"samples"`
}

func (r *Results) rows() []row {
	rows := make([]row, 0, len(r.order))
	for _, k := range r.order {
		median, _ := r.Median(k.measure, k.name, k.leg)
		rows = append(rows, row{k.measure, r.Subject.Units[k.measure], k.name, k.leg, median, r.samples[k]})
	}
	return rows
}

// page is the tables and the plots, in Markdown.
func (r *Results) page(what string) string {
	var b strings.Builder
	b.WriteString(what + "\n\n| goal |")
	for _, leg := range r.Subject.Legs {
		fmt.Fprintf(&b, " %s |", leg)
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(r.Subject.Legs)) + "\n")
	for _, g := range r.Subject.Goals {
		fmt.Fprintf(&b, "| %s: %s |", g.Measure, g.Name)
		for _, leg := range r.Subject.Legs {
			fmt.Fprintf(&b, " %s |", r.judge(g, leg))
		}
		b.WriteString("\n")
	}
	for _, fact := range r.Subject.Facts {
		if value, ok := r.Median(fact.Measure, fact.Name, fact.Leg); ok {
			fmt.Fprintf(&b, "\n%s, %s: %.4g %s.\n", fact.Words, fact.Measure, value, r.Subject.Units[fact.Measure])
		}
	}
	for _, measure := range r.Subject.Tables {
		r.table(&b, measure)
	}
	for _, measure := range r.Subject.Plots {
		r.plot(&b, measure)
	}
	return b.String()
}

func (r *Results) names(measure string) (names []string) {
	for _, k := range r.order {
		if k.measure == measure && !slices.Contains(names, k.name) {
			names = append(names, k.name)
		}
	}
	return names
}

func (r *Results) table(b *strings.Builder, measure string) {
	fmt.Fprintf(b, "\n| %s, %s |", measure, r.Subject.Units[measure])
	for _, leg := range r.Subject.Legs {
		fmt.Fprintf(b, " %s | of %s |", leg, r.Subject.Baseline)
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- | --- |", len(r.Subject.Legs)) + "\n")
	for _, name := range r.names(measure) {
		fmt.Fprintf(b, "| %s |", name)
		for _, leg := range r.Subject.Legs {
			value, ok := r.Median(measure, name, leg)
			baseline, hasBaseline := r.Median(measure, r.Subject.Baseline, leg)
			if !ok || !hasBaseline {
				b.WriteString(" | |")
				continue
			}
			fmt.Fprintf(b, " %.4g | %.2f |", value, value/baseline)
		}
		b.WriteString("\n")
	}
}

// plot is a measure as a share of the baseline's.
func (r *Results) plot(b *strings.Builder, measure string) {
	names, legs := r.names(measure), r.Subject.Legs
	labels, shares := make([]string, len(names)), map[string][]string{}
	for i, name := range names {
		labels[i] = fmt.Sprintf("%q", name)
		for _, leg := range legs {
			value, _ := r.Median(measure, name, leg)
			baseline, _ := r.Median(measure, r.Subject.Baseline, leg)
			shares[leg] = append(shares[leg], fmt.Sprintf("%.2f", value/baseline))
		}
	}
	what := "of " + r.Subject.Baseline
	if len(legs) > 1 {
		what += " (bars: " + legs[0] + ", line: " + legs[1] + ")"
	}
	fmt.Fprintf(b, "\n```mermaid\nxychart-beta\n  title \"%s, %s\"\n", measure, what)
	fmt.Fprintf(b, "  x-axis [%s]\n  y-axis \"share\" 0 --> 1.6\n", strings.Join(labels, ", "))
	fmt.Fprintf(b, "  bar [%s]\n", strings.Join(shares[legs[0]], ", "))
	if len(legs) > 1 {
		fmt.Fprintf(b, "  line [%s]\n", strings.Join(shares[legs[1]], ", "))
	}
	b.WriteString("```\n")
}
