// Package measure keeps what benchmarks measure, tells it as ratios to a baseline of the
// same run, and says which goals are met.
package measure

import (
	"fmt"
	"slices"
)

// Subject is what a run is about, and how it is told.
type Subject struct {
	// Name of the files in dist/bench, and of the part of the page.
	Name string
	// Baseline is the contender that ratios are to.
	Baseline string
	// Legs are the ways to reach a contender, each a column; the first is plotted as bars.
	Legs  []string
	Goals []Goal
	// Units of each measure.
	Units map[string]string
	// Tables and Plots by measure; Facts are told in a line each.
	Tables, Plots []string
	Facts         []Fact
}

// Fact is a number that stands alone.
type Fact struct{ Measure, Name, Leg, Words string }

// Goal is what a number of ours is to be.
type Goal struct {
	Measure, Name string
	// Baseline in place of the subject's.
	Baseline string
	// Ratio to the baseline of the same leg at least, or Above it in µs at most (of a
	// measure in ms), or Most, an absolute; one is set.
	Ratio, Above, Most float64
	// Within bounds what the ratio is to: no more than this fact's value.
	Within *Fact
}

// Results are all samples.
type Results struct {
	Subject Subject
	samples map[key][]float64
	// order of first appearance.
	order []key
}

type key struct{ measure, name, leg string }

// Add a sample of a contender.
func (r *Results) Add(measure, name, leg string, value float64) {
	k := key{measure, name, leg}
	if r.samples == nil {
		r.samples = map[key][]float64{}
	}
	if r.samples[k] == nil {
		r.order = append(r.order, k)
	}
	r.samples[k] = append(r.samples[k], value)
}

// Median of the samples; false where nothing was measured.
func (r *Results) Median(measure, name, leg string) (float64, bool) {
	samples := slices.Sorted(slices.Values(r.samples[key{measure, name, leg}]))
	if len(samples) == 0 {
		return 0, false
	}
	middle := len(samples) / 2
	if len(samples)%2 == 0 {
		return (samples[middle-1] + samples[middle]) / 2, true
	}
	return samples[middle], true
}

// judge compares a goal with what was measured.
func (r *Results) judge(g Goal, leg string) string {
	value, ok := r.Median(g.Measure, g.Name, leg)
	if !ok {
		return ""
	}
	what := r.Subject.Baseline
	if g.Baseline != "" {
		what = g.Baseline
	}
	baseline, _ := r.Median(g.Measure, what, leg)
	if g.Within != nil {
		if bound, measured := r.Median(g.Within.Measure, g.Within.Name, leg); measured && bound < baseline {
			baseline, what = bound, g.Within.Measure
		}
	}
	said, met := "", false
	switch {
	case g.Ratio > 0:
		said, met = fmt.Sprintf("%.2f of %s, goal %.2f", value/baseline, what, g.Ratio), value/baseline >= g.Ratio
	case g.Above > 0:
		said, met = fmt.Sprintf("%+.0f µs, goal at most +%.0f µs", (value-baseline)*1000, g.Above), (value-baseline)*1000 <= g.Above
	default:
		said, met = fmt.Sprintf("%.3g %s, goal at most %.3g", value, r.Subject.Units[g.Measure], g.Most), value <= g.Most
	}
	if met {
		return said + ": met"
	}
	return said + ": **missed**"
}
