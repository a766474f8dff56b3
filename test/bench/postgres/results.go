package main

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/sallyport/sallyport/test/bench/measure"
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

var engine = measure.Subject{
	Name: "postgres", Baseline: "relay", Legs: []string{string(plain), string(tlsOn)}, Goals: engineGoals, Units: units,
	Tables: []string{simple, prepared, oneClient, wide, processor}, Plots: []string{simple, prepared, wide},
}

var recordings = measure.Subject{
	Name: "recording", Baseline: unrecordedName, Legs: []string{string(plain)}, Goals: recordingGoals, Units: units,
	Facts:  []measure.Fact{diskAlone, disk},
	Tables: []string{recordedSimple, recordedPrepared, recordedAlone, recordedP50, recordedP99}, Plots: []string{recordedPrepared},
}

// results are those of this benchmark.
type results struct{ measure.Results }

func (r *results) add(measure string, c *contender, value float64) {
	r.Add(measure, c.name, string(c.leg), value)
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

// What the disk itself does.
var (
	diskAlone = measure.Fact{Measure: flushesAlone, Name: "disk", Leg: string(plain), Words: "The disk itself"}
	disk      = measure.Fact{Measure: flushes, Name: "disk", Leg: string(plain), Words: "The disk itself"}
)

var recordingGoals = []measure.Goal{
	{Measure: recordedSimple, Name: volumeProcess, Ratio: 0.97},
	{Measure: recordedPrepared, Name: volumeProcess, Ratio: 0.97},
	{Measure: recordedSimple, Name: bucketProcess, Ratio: 0.97},
	{Measure: recordedPrepared, Name: bucketProcess, Ratio: 0.97},
	{Measure: recordedAlone, Name: volumeDisk, Ratio: 0.60, Within: &diskAlone},
	{Measure: recordedAlone, Name: bucketDisk, Ratio: 0.60, Within: &diskAlone},
	{Measure: recordedPrepared, Name: volumeDisk, Ratio: 0.60, Within: &disk},
	{Measure: recordedPrepared, Name: bucketDisk, Ratio: 0.60, Within: &disk},
	{Measure: recordedLarge, Name: volumeProcess, Most: 96},
	{Measure: recordedLarge, Name: bucketProcess, Most: 96},
}

var engineGoals = []measure.Goal{
	{Measure: simple, Name: ours, Ratio: 0.95},
	{Measure: prepared, Name: ours, Ratio: 0.95},
	{Measure: oneClient, Name: ours, Above: 50},
	{Measure: wide, Name: ours, Ratio: 0.95},
	{Measure: wide, Name: oursOutput, Ratio: 0.75},
	{Measure: wide, Name: oursMasks, Ratio: 0.75},
	{Measure: wide, Name: oursDetectors, Ratio: 0.45},
	{Measure: processor, Name: ours, Most: 3},
	{Measure: processor, Name: oursOutput, Most: 7},
	{Measure: largeResult, Name: ours, Most: 64},
	{Measure: largeMessages, Name: ours, Most: 64},
	{Measure: idleConnections, Name: ours, Most: 100},
	{Measure: coldStarting, Name: ours, Most: 150},
}
