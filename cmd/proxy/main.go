// Command proxy stands in the data path of one task. Flags and wiring only.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
)

func main() {
	var o options
	o.bind(flag.CommandLine)
	flag.Parse()
	log := logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := o.do(ctx, log)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "proxy:", err)
		os.Exit(1)
	}
}

func (o *options) do(ctx context.Context, log logr.Logger) error {
	if o.removeRecordings != "" {
		return remove(ctx, o.removeRecordings, terminationLog)
	}
	return run(ctx, *o, log)
}
