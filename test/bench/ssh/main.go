// Command ssh measures what the SSH engine costs: OpenSSH's clients against its server
// directly, through a plain relay of two legs, and through the proxy.
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
	bytes    int64
	echoes   int
	seconds  int
	sessions int
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == relayCommand {
		fmt.Fprintln(os.Stderr, relayCommand+":", relayMain(os.Args[2:]))
		os.Exit(1)
	}
	var o options
	o.Flags(flag.CommandLine)
	flag.Int64Var(&o.bytes, "bytes", 512<<20, "of each transfer")
	flag.IntVar(&o.echoes, "echoes", 4000, "single bytes sent and awaited")
	flag.IntVar(&o.seconds, "seconds", 3, "of opening connections")
	flag.IntVar(&o.sessions, "sessions", 200, "concurrent sessions whose memory counts")
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
	r := &results{measure.Results{Subject: subject}}
	of := func(run func(context.Context, *field, *results) error) measure.Workload {
		return func(ctx context.Context) error { return run(ctx, f, r) }
	}
	if err := o.Measure(ctx, []measure.Workload{of(transfers), of(echo), of(connections)}, []measure.Workload{of(memory)}); err != nil {
		return err
	}
	return r.Write(fmt.Sprintf("%s; %d rounds, %d MiB a transfer, cipher %s on every leg.",
		measure.Machine("ssh", "-V"), o.Rounds, o.bytes>>20, cipher), o.Out, o.Publish)
}
