package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// What is measured, with its unit.
const (
	simple          = "pgbench -S -c 8 simple"
	prepared        = "pgbench -S -c 8 prepared"
	oneClient       = "pgbench -S -c 1 prepared, latency"
	wide            = "select of all rows"
	processor       = "processor time"
	largeResult     = "large result"
	largeMessages   = "messages of 64 MiB"
	idleConnections = "idle connections"
	coldStarting    = "cold start to listening"
)

var units = map[string]string{
	simple: "tps", prepared: "tps", oneClient: "ms", wide: "MB/s", processor: "CPU-s/GB",
	largeResult: "MiB", largeMessages: "MiB", idleConnections: "MiB", coldStarting: "ms",
	recordedSimple: "tps", recordedPrepared: "tps", recordedAlone: "tps", recordedP50: "ms", recordedP99: "ms",
	flushes: "a second", flushesAlone: "a second", recordedLarge: "MiB",
}

// subject is what a run is about, and how it is told.
type subject struct {
	// name of the files in dist/bench, and of the part of the page.
	name string
	// baseline is the contender that ratios are to.
	baseline string
	legs     []leg
	goals    []goal
	// tables and plots by measure.
	tables, plots []string
}

var engine = subject{
	name: "postgres", baseline: "relay", legs: []leg{plain, tlsOn}, goals: engineGoals,
	tables: []string{simple, prepared, oneClient, wide, processor}, plots: []string{simple, prepared, wide},
}

var recordings = subject{
	name: "recording", baseline: unrecordedName, legs: []leg{plain}, goals: recordingGoals,
	tables: []string{recordedSimple, recordedPrepared, recordedAlone, recordedP50, recordedP99}, plots: []string{recordedPrepared},
}

// results are all samples.
type results struct {
	subject subject
	samples map[key][]float64
	// order of first appearance.
	order []key
}

type key struct {
	measure, name string
	leg           leg
}

func (r *results) add(measure string, c *contender, value float64) {
	k := key{measure, c.name, c.leg}
	if r.samples == nil {
		r.samples = map[key][]float64{}
	}
	if r.samples[k] == nil {
		r.order = append(r.order, k)
	}
	r.samples[k] = append(r.samples[k], value)
}

// match takes the number that pgbench printed.
func (r *results) match(measure string, c *contender, line *regexp.Regexp, out string) error {
	found := line.FindStringSubmatch(out)
	if found == nil {
		return fmt.Errorf("pgbench through %s (%s) printed no %v: %s", c.name, c.leg, line, out)
	}
	value, err := strconv.ParseFloat(found[1], 64)
	r.add(measure, c, value)
	return err
}

// median of the samples; false where nothing was measured.
func (r *results) median(measure, name string, l leg) (float64, bool) {
	samples := slices.Sorted(slices.Values(r.samples[key{measure, name, l}]))
	if len(samples) == 0 {
		return 0, false
	}
	middle := len(samples) / 2
	if len(samples)%2 == 0 {
		return (samples[middle-1] + samples[middle]) / 2, true
	}
	return samples[middle], true
}

// goal is what a number of ours is to be.
type goal struct {
	measure, name string
	// ratio to the baseline of the same leg at least, or more than the baseline at most,
	// or an absolute at most; one is set.
	ratio, above, most float64
	// within bounds what the ratio is to: no more than this measure's value.
	within string
}

var recordingGoals = []goal{
	{measure: recordedSimple, name: volumeProcess, ratio: 0.97},
	{measure: recordedPrepared, name: volumeProcess, ratio: 0.97},
	{measure: recordedSimple, name: bucketProcess, ratio: 0.97},
	{measure: recordedPrepared, name: bucketProcess, ratio: 0.97},
	{measure: recordedAlone, name: volumeDisk, ratio: 0.60, within: flushesAlone},
	{measure: recordedAlone, name: bucketDisk, ratio: 0.60, within: flushesAlone},
	{measure: recordedPrepared, name: volumeDisk, ratio: 0.60, within: flushes},
	{measure: recordedPrepared, name: bucketDisk, ratio: 0.60, within: flushes},
	{measure: recordedLarge, name: volumeProcess, most: 96},
	{measure: recordedLarge, name: bucketProcess, most: 96},
}

var engineGoals = []goal{
	{measure: simple, name: ours, ratio: 0.95},
	{measure: prepared, name: ours, ratio: 0.95},
	{measure: oneClient, name: ours, above: 0.050},
	{measure: wide, name: ours, ratio: 0.95},
	{measure: wide, name: oursOutput, ratio: 0.75},
	{measure: wide, name: oursMasks, ratio: 0.75},
	{measure: wide, name: oursDetectors, ratio: 0.45},
	{measure: processor, name: ours, most: 3},
	{measure: processor, name: oursOutput, most: 7},
	{measure: largeResult, name: ours, most: 64},
	{measure: largeMessages, name: ours, most: 64},
	{measure: idleConnections, name: ours, most: 100},
	{measure: coldStarting, name: ours, most: 150},
}

// judge compares a goal with what was measured.
func (r *results) judge(g goal, l leg) (said string, measured bool) {
	value, ok := r.median(g.measure, g.name, l)
	if !ok {
		return "", false
	}
	baseline, _ := r.median(g.measure, r.subject.baseline, l)
	what := r.subject.baseline
	if bound, measured := r.median(g.within, "disk", l); measured && bound < baseline {
		baseline, what = bound, g.within
	}
	said, met := "", false
	switch {
	case g.ratio > 0:
		said, met = fmt.Sprintf("%.2f of %s, goal %.2f", value/baseline, what, g.ratio), value/baseline >= g.ratio
	case g.above > 0:
		said, met = fmt.Sprintf("%+.0f µs, goal at most +%.0f µs", (value-baseline)*1000, g.above*1000), value-baseline <= g.above
	default:
		said, met = fmt.Sprintf("%.3g %s, goal at most %.3g", value, units[g.measure], g.most), value <= g.most
	}
	if met {
		return said + ": met", true
	}
	return said + ": **missed**", true
}
