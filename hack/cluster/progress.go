package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// progress prints one line with the time since the command began.
type progress func(format string, args ...any)

func newProgress() progress {
	start := time.Now()
	return func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%5.1fs  %s\n", time.Since(start).Seconds(), fmt.Sprintf(format, args...))
	}
}

// until asks a question again and again until the answer is no error, for as long
// as patience lasts. fatal, if not nil, ends the wait early with its error.
func until(ctx context.Context, patience time.Duration, ask func(context.Context) error, fatal func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		attempt, done := context.WithTimeout(ctx, 5*time.Second)
		err := ask(attempt)
		done()
		if err == nil {
			return nil
		}
		if fatal != nil {
			if stop := fatal(ctx); stop != nil && ctx.Err() == nil {
				return stop
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up after %s: %w", patience, err)
		case <-ticker.C:
		}
	}
}
