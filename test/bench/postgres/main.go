package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/test/bench/measure"
)

// options of a run.
type options struct {
	proxy   string
	rounds  int
	seconds int
	scale   int
	rows    int
	large   int64
	idle    int
	out     string
	publish string
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
	flag.StringVar(&o.proxy, "proxy", "bin/proxy", "the proxy's binary")
	flag.IntVar(&o.rounds, "rounds", 5, "interleaved rounds; the median counts")
	flag.IntVar(&o.seconds, "seconds", 4, "of each pgbench run")
	flag.IntVar(&o.scale, "scale", 10, "of pgbench's tables")
	flag.IntVar(&o.rows, "rows", 1_000_000, "of the wide select")
	flag.Int64Var(&o.large, "large", 10<<30, "bytes of the largest result")
	flag.IntVar(&o.idle, "idle", 1000, "idle connections")
	flag.StringVar(&o.out, "out", "dist/bench", "folder for the numbers")
	flag.StringVar(&o.publish, "publish", "", "page whose part between the markers is replaced, such as docs/benchmarks.md")
	flag.BoolVar(&o.recording, "recording", false, "measure what each way to record costs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// workload is measured over all contenders.
type workload func(context.Context, *field, *results) error

// run measures everything and writes the tables. Missed goals are said, and no error.
func run(ctx context.Context, o options) (err error) {
	f, err := newField(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := &results{measure.Results{Subject: engine}}
	rounds, once := []workload{transactions, latency, wideSelect}, []workload{memory, coldStart}
	if o.recording {
		r.Subject, rounds, once = recordings, []workload{recordedTransactions, diskRate}, []workload{recordedMemory}
	}
	began := time.Now()
	for round := range o.rounds {
		for _, run := range rounds {
			if err := run(ctx, f, r); err != nil {
				return err
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d, %v\n", round+1, o.rounds, time.Since(began).Round(time.Second))
	}
	for _, run := range once {
		if err := run(ctx, f, r); err != nil {
			return err
		}
	}
	version, _ := exec.Command("psql", "--version").Output()
	return r.Write(fmt.Sprintf("%d processors, %s, %s; %d rounds, %d s a pgbench run, %d rows.",
		runtime.NumCPU(), strings.TrimSpace(string(version)), runtime.Version(), o.rounds, o.seconds, o.rows), o.out, o.publish)
}
