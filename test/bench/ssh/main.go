// Command ssh measures what the SSH engine costs: OpenSSH's clients against its server
// directly, through a plain relay of two legs, and through the proxy.
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
	proxy    string
	rounds   int
	bytes    int64
	echoes   int
	seconds  int
	sessions int
	out      string
	publish  string
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == relayCommand {
		fmt.Fprintln(os.Stderr, relayCommand+":", relayMain(os.Args[2:]))
		os.Exit(1)
	}
	var o options
	flag.StringVar(&o.proxy, "proxy", "bin/proxy", "the proxy's binary")
	flag.IntVar(&o.rounds, "rounds", 5, "interleaved rounds; the median counts")
	flag.Int64Var(&o.bytes, "bytes", 512<<20, "of each transfer")
	flag.IntVar(&o.echoes, "echoes", 4000, "single bytes sent and awaited")
	flag.IntVar(&o.seconds, "seconds", 3, "of opening connections")
	flag.IntVar(&o.sessions, "sessions", 200, "concurrent sessions whose memory counts")
	flag.StringVar(&o.out, "out", "dist/bench", "folder for the numbers")
	flag.StringVar(&o.publish, "publish", "", "page whose part between the markers is replaced, such as docs/benchmarks.md")
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
	r := &results{measure.Results{Subject: subject}}
	began := time.Now()
	for round := range o.rounds {
		for _, run := range []workload{transfers, echo, connections} {
			if err := run(ctx, f, r); err != nil {
				return err
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d, %v\n", round+1, o.rounds, time.Since(began).Round(time.Second))
	}
	if err := memory(ctx, f, r); err != nil {
		return err
	}
	version, _ := exec.Command("ssh", "-V").CombinedOutput()
	return r.Write(fmt.Sprintf("%d processors, %s, %s; %d rounds, %d MiB a transfer, cipher %s on every leg.",
		runtime.NumCPU(), strings.TrimSpace(string(version)), runtime.Version(), o.rounds, o.bytes>>20, cipher), o.out, o.publish)
}
