package measure

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Options are what every benchmark is told.
type Options struct {
	// Proxy is the proxy's binary.
	Proxy string
	// Rounds, in which the contenders take turns; the median counts.
	Rounds int
	// Out is the folder for the numbers, and Publish the page that gets the tables.
	Out, Publish string
}

// Flags are the command line's of them.
func (o *Options) Flags(flags *flag.FlagSet) {
	flags.StringVar(&o.Proxy, "proxy", "bin/proxy", "the proxy's binary")
	flags.IntVar(&o.Rounds, "rounds", 5, "interleaved rounds; the median counts")
	flags.StringVar(&o.Out, "out", "dist/bench", "folder for the numbers")
	flags.StringVar(&o.Publish, "publish", "", "page whose part between the markers is replaced, such as docs/benchmarks.md")
}

// Main runs a benchmark until its end, or an interrupt.
func Main(run func(context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// Workload is measured over all contenders.
type Workload func(context.Context) error

// Measure runs every workload of each round, and then those that are measured once.
func (o *Options) Measure(ctx context.Context, round, once []Workload) error {
	began := time.Now()
	for n := range o.Rounds {
		if err := all(ctx, round); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "round %d of %d, %v\n", n+1, o.Rounds, time.Since(began).Round(time.Second))
	}
	return all(ctx, once)
}

func all(ctx context.Context, workloads []Workload) error {
	for _, run := range workloads {
		if err := run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Machine is what was measured on: its processors, and the versions of this client and of Go.
func Machine(client string, version ...string) string {
	said, _ := exec.Command(client, version...).CombinedOutput()
	return fmt.Sprintf("%d processors, %s, %s", runtime.NumCPU(), strings.TrimSpace(string(said)), runtime.Version())
}
