package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sallyport/sallyport/test/bench/measure"
)

var (
	tpsLine     = regexp.MustCompile(`tps = ([0-9.]+)`)
	latencyLine = regexp.MustCompile(`latency average = ([0-9.]+) ms`)
)

// transactions runs pgbench's select-only script with eight clients, simple and
// prepared.
func transactions(ctx context.Context, f *field, r *results) error {
	for _, mode := range []string{"simple", "prepared"} {
		for _, c := range f.contenders {
			if !c.transactions {
				continue
			}
			out, err := f.pgbench(ctx, c, mode, 8)
			if err != nil {
				return err
			}
			if err := r.match("pgbench -S -c 8 "+mode, c, tpsLine, out); err != nil {
				return err
			}
		}
	}
	return nil
}

// latency runs it with one client.
func latency(ctx context.Context, f *field, r *results) error {
	for _, c := range f.contenders {
		if !c.transactions {
			continue
		}
		out, err := f.pgbench(ctx, c, "prepared", 1)
		if err != nil {
			return err
		}
		if err := r.match(oneClient, c, latencyLine, out); err != nil {
			return err
		}
	}
	return nil
}

func (f *field) pgbench(ctx context.Context, c *contender, mode string, clients int, more ...string) (string, error) {
	args := append(more, "-n", "-S", "-M", mode, "-T", strconv.Itoa(f.options.seconds),
		"-c", strconv.Itoa(clients), "-j", strconv.Itoa(min(clients, 2)), "-s", strconv.Itoa(f.options.scale),
		"-h", "127.0.0.1", "-p", strconv.Itoa(c.port), "-U", login, database)
	command := exec.CommandContext(ctx, "pgbench", args...)
	command.Env = append(os.Environ(), "PGPASSWORD="+token, "PGSSLMODE="+c.leg.mode(), "PGGSSENCMODE=disable")
	out, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("pgbench through %s (%s): %w: %s", c.name, c.leg, err, out)
	}
	return string(out), nil
}

func (l leg) mode() string {
	if l == tlsOn {
		return "require"
	}
	return "disable"
}

// wideSelect reads all rows of people, and counts bytes and processor time.
func wideSelect(ctx context.Context, f *field, r *results) error {
	for _, c := range f.contenders {
		if !c.rows {
			continue
		}
		taken, err := f.read(ctx, c, "SELECT * FROM people")
		if err != nil {
			return err
		}
		r.add(wide, c, float64(taken.bytes)/1e6/taken.elapsed.Seconds())
		if c.process != nil {
			r.add(processor, c, taken.processor.Seconds()/(float64(taken.bytes)/1e9))
		}
		if err := f.forgetRecordings(c); err != nil {
			return err
		}
	}
	return nil
}

// forgetRecordings keeps the disk from filling with the rows of every round.
func (f *field) forgetRecordings(c *contender) error {
	segments, err := filepath.Glob(filepath.Join(f.folder, c.name, "*", "*.seg"))
	for _, segment := range segments {
		err = errors.Join(err, os.Remove(segment))
	}
	return err
}

// reading is one result, read to its end.
type reading struct {
	bytes              int64
	elapsed, processor time.Duration
}

func (f *field) read(ctx context.Context, c *contender, query string) (reading, error) {
	client, err := connect(ctx, c)
	if err != nil {
		return reading{}, err
	}
	defer client.Close()
	before, err := c.used()
	if err != nil {
		return reading{}, err
	}
	began := time.Now()
	bytes, err := client.discard(query)
	if err != nil {
		return reading{}, fmt.Errorf("%s (%s): %w", c.name, c.leg, err)
	}
	elapsed := time.Since(began)
	after, err := c.used()
	return reading{bytes, elapsed, after - before}, err
}

func (c *contender) used() (time.Duration, error) {
	if c.process == nil {
		return 0, nil
	}
	return c.process.Processor()
}

// memory holds a proxy under what is large: a result, messages, connections. Each
// proxy is started anew, so that its high-water mark is of that alone.
func memory(ctx context.Context, f *field, r *results) error {
	for _, load := range []struct {
		name string
		run  func(*contender) error
	}{
		{largeResult, func(c *contender) error {
			return f.readLarge(ctx, c)
		}},
		{largeMessages, func(c *contender) error {
			for range 4 {
				if _, err := f.read(ctx, c, "SELECT pg_catalog.repeat('x', 64 * 1024 * 1024 - 1024)"); err != nil {
					return err
				}
			}
			return nil
		}},
		{idleConnections, func(c *contender) error { return f.idle(ctx, c) }},
	} {
		c, err := f.fresh(ctx, ours)
		if err != nil {
			return err
		}
		if err := load.run(c); err != nil {
			return fmt.Errorf("%s: %w", load.name, err)
		}
		peak, err := c.process.Resident("VmHWM")
		if err != nil {
			return err
		}
		c.process.Stop()
		r.add(load.name, c, float64(peak)/(1<<20))
	}
	return nil
}

// readLarge reads the large result.
func (f *field) readLarge(ctx context.Context, c *contender) error {
	const width = 160
	times := max(f.options.large/(int64(f.options.rows)*width), 1)
	_, err := f.read(ctx, c, fmt.Sprintf("SELECT people.* FROM people, pg_catalog.generate_series(1, %d)", times))
	return err
}

// idle opens connections that do nothing.
func (f *field) idle(ctx context.Context, c *contender) error {
	clients := make([]*client, f.options.idle)
	defer func() {
		for _, client := range clients {
			if client != nil {
				client.Close()
			}
		}
	}()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for i := range clients {
		group.Go(func() (err error) {
			clients[i], err = connect(ctx, c)
			return err
		})
	}
	return group.Wait()
}

// fresh is another process of one of our contenders, on plain connections.
func (f *field) fresh(ctx context.Context, name string) (*contender, error) {
	port, err := measure.FreePort()
	if err != nil {
		return nil, err
	}
	p, err := measure.Start(ctx, measure.Local(port), nil, f.options.Proxy, "--grant-file", filepath.Join(f.folder, name, "grant.yaml"),
		"--allow-plaintext", "--listen", measure.Local(port))
	if err != nil {
		return nil, err
	}
	f.processes = append(f.processes, p)
	return &contender{name: name, leg: plain, port: port, process: p}, nil
}

// coldStart is the time from exec to a connection taken.
func coldStart(ctx context.Context, f *field, r *results) error {
	for range 2*f.options.Rounds + 1 {
		began := time.Now()
		c, err := f.fresh(ctx, ours)
		if err != nil {
			return err
		}
		r.add(coldStarting, c, float64(time.Since(began).Microseconds())/1000)
		c.process.Stop()
	}
	return nil
}
