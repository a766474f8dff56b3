package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/sallyport/sallyport/test/bench/measure"
)

// options of a run.
type options struct {
	measure.Options
	seconds int
	scale   int
	rows    int
	large   int64
	idle    int
	// recording measures what recording costs, in place of the engine.
	recording bool
}

func main() {
	if len(os.Args) > 1 {
		if own := map[string]func([]string) error{relayCommand: relayMain, recordedCommand: recordedMain}[os.Args[1]]; own != nil {
			fmt.Fprintln(os.Stderr, os.Args[1]+":", own(os.Args[2:]))
			os.Exit(1)
		}
	}
	var o options
	o.Flags(flag.CommandLine)
	flag.IntVar(&o.seconds, "seconds", 4, "of each pgbench run")
	flag.IntVar(&o.scale, "scale", 10, "of pgbench's tables")
	flag.IntVar(&o.rows, "rows", 1_000_000, "of the wide select")
	flag.Int64Var(&o.large, "large", 10<<30, "bytes of the largest result")
	flag.IntVar(&o.idle, "idle", 1000, "idle connections")
	flag.BoolVar(&o.recording, "recording", false, "measure what each way to record costs")
	flag.Parse()
	measure.Main(func(ctx context.Context) error { return run(ctx, o) })
}

// run measures everything and writes the tables. Missed goals are said, and no error.
func run(ctx context.Context, o options) (err error) {
	f, err := newField(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := &results{measure.Results{Subject: engine}}
	of := func(run func(context.Context, *field, *results) error) measure.Workload {
		return func(ctx context.Context) error { return run(ctx, f, r) }
	}
	round, once := []measure.Workload{of(transactions), of(latency), of(wideSelect)}, []measure.Workload{of(memory), of(coldStart)}
	if o.recording {
		r.Subject = recordings
		round, once = []measure.Workload{of(recordedTransactions), of(diskRate)}, []measure.Workload{of(recordedMemory)}
	}
	if err := o.Measure(ctx, round, once); err != nil {
		return err
	}
	return r.Write(fmt.Sprintf("%s; %d rounds, %d s a pgbench run, %d rows.",
		measure.Machine("psql", "--version"), o.Rounds, o.seconds, o.rows), o.Out, o.Publish)
}
