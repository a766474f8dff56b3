package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/s3test"
	"github.com/sallyport/sallyport/test/bench/measure"
)

// The ways to record, and the one that is measured against.
const (
	unrecordedName = "no recording"
	volumeProcess  = "volume, Process"
	volumeDisk     = "volume, Disk"
	bucketProcess  = "bucket, Process"
	bucketDisk     = "bucket, Disk"
	bucketRemote   = "bucket, Remote"
)

// What is measured of them.
const (
	recordedSimple   = "pgbench -S -c 8 simple, recorded"
	recordedPrepared = "pgbench -S -c 8 prepared, recorded"
	recordedAlone    = "pgbench -S -c 1 prepared, recorded"
	recordedP50      = "pgbench -S -c 1 prepared, latency p50, recorded"
	recordedP99      = "pgbench -S -c 1 prepared, latency p99, recorded"
	flushes          = "fdatasync by 8 writers"
	flushesAlone     = "fdatasync by 1 writer"
	recordedLarge    = "large result, recorded in full"
)

// ways are started each in a process of its own.
func (f *field) ways(ctx context.Context) error {
	server, err := s3test.Run(s3test.Options{})
	if err != nil {
		return err
	}
	f.closers = append(f.closers, server.Close)
	if err := server.MakeBucket(ctx, "recordings", false); err != nil {
		return err
	}
	authority := filepath.Join(f.folder, "s3.crt")
	if err := os.WriteFile(authority, server.CAPEM, 0o600); err != nil {
		return err
	}
	f.s3 = &s3{endpoint: server.Endpoint, bucket: "recordings", region: server.Region, access: server.AccessKey, secret: server.SecretKey, ca: authority}
	for _, way := range []struct {
		name string
		how  grant.Recording
	}{
		{unrecordedName, grant.Recording{}},
		{volumeProcess, grant.Recording{Durability: v1alpha1.DurabilityProcess}},
		{volumeDisk, grant.Recording{Durability: v1alpha1.DurabilityDisk}},
		{bucketProcess, grant.Recording{Store: grant.StoreBucket, Durability: v1alpha1.DurabilityProcess}},
		{bucketDisk, grant.Recording{Store: grant.StoreBucket, Durability: v1alpha1.DurabilityDisk}},
		{bucketRemote, grant.Recording{Store: grant.StoreBucket, Durability: v1alpha1.DurabilityRemote}},
	} {
		c, err := f.recorded(ctx, way.name, way.how, func(*v1alpha1.AccessPolicySpec) {})
		if err != nil {
			return err
		}
		f.add(c)
	}
	return nil
}

// recorded starts a proxy that records in one way.
func (f *field) recorded(ctx context.Context, name string, how grant.Recording, change func(*v1alpha1.AccessPolicySpec)) (*contender, error) {
	port, err := measure.FreePort()
	if err != nil {
		return nil, err
	}
	file, err := f.grantFile(name, how, change)
	if err != nil {
		return nil, err
	}
	spool := filepath.Join(f.folder, name, "spool")
	if err := os.MkdirAll(spool, 0o700); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{recordedCommand, "--grant-file", file, "--listen", measure.Local(port), "--spool", spool}
	if how.Store == grant.StoreBucket {
		args = append(args, f.s3.arguments()...)
	}
	if name == unrecordedName {
		args = append(args, "--nothing")
	}
	p, err := measure.Start(ctx, measure.Local(port), nil, self, args...)
	if err != nil {
		return nil, err
	}
	f.processes = append(f.processes, p)
	return &contender{name: name, leg: plain, port: port, process: p, transactions: true}, nil
}

// recordedTransactions runs pgbench through each way, with eight clients for throughput
// and with one for latency.
func recordedTransactions(ctx context.Context, f *field, r *results) error {
	for _, c := range f.contenders {
		for measure, mode := range map[string]string{recordedSimple: "simple", recordedPrepared: "prepared"} {
			out, err := f.pgbench(ctx, c, mode, 8)
			if err != nil {
				return err
			}
			if err := r.match(measure, c, tpsLine, out); err != nil {
				return err
			}
		}
		latencies, out, err := f.latencies(ctx, c)
		if err != nil {
			return err
		}
		if err := r.match(recordedAlone, c, tpsLine, out); err != nil {
			return err
		}
		r.add(recordedP50, c, latencies[len(latencies)/2])
		r.add(recordedP99, c, latencies[len(latencies)*99/100])
	}
	return nil
}

// latencies of one client's transactions, in milliseconds, sorted, and what pgbench said.
func (f *field) latencies(ctx context.Context, c *contender) (sorted []float64, out string, err error) {
	prefix := filepath.Join(f.folder, "latencies")
	if out, err = f.pgbench(ctx, c, "prepared", 1, "--log", "--log-prefix="+prefix); err != nil {
		return nil, out, err
	}
	logs, err := filepath.Glob(prefix + ".*")
	if err != nil || len(logs) == 0 {
		return nil, out, errors.Join(errors.New("pgbench has logged no transactions"), err)
	}
	for _, log := range logs {
		if sorted, err = readLatencies(sorted, log); err != nil {
			return nil, out, err
		}
	}
	if len(sorted) == 0 {
		return nil, out, errors.New("pgbench has logged no transactions")
	}
	slices.Sort(sorted)
	return sorted, out, nil
}

// readLatencies takes the third field of each line, microseconds, and removes the log.
func readLatencies(to []float64, log string) ([]float64, error) {
	in, err := os.Open(log)
	if err != nil {
		return to, err
	}
	defer in.Close()
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 {
			return to, fmt.Errorf("pgbench has logged %q", lines.Text())
		}
		microseconds, err := strconv.ParseFloat(fields[2], 64)
		if err != nil {
			return to, err
		}
		to = append(to, microseconds/1000)
	}
	return to, errors.Join(lines.Err(), os.Remove(log))
}

// diskRate is what the disk itself allows, to one writer and to as many as there are
// clients, while nothing else asks for the processors.
func diskRate(ctx context.Context, f *field, r *results) error {
	for measure, writers := range map[string]int{flushesAlone: 1, flushes: 8} {
		rate, err := f.flush(ctx, writers)
		if err != nil {
			return err
		}
		r.add(measure, &contender{name: "disk", leg: plain}, rate)
	}
	return nil
}

// flush has each writer append to a file of its own and flush it, and counts.
func (f *field) flush(ctx context.Context, writers int) (aSecond float64, err error) {
	const size, room = 512, 64 << 20
	ctx, cancel := context.WithTimeout(ctx, time.Duration(f.options.seconds)*time.Second)
	defer cancel()
	var count atomic.Int64
	began := time.Now()
	var group errgroup.Group
	for i := range writers {
		group.Go(func() error {
			file, err := os.Create(filepath.Join(f.folder, "flush-"+strconv.Itoa(i)))
			if err != nil {
				return err
			}
			defer func() { _ = errors.Join(file.Close(), os.Remove(file.Name())) }()
			// As a journal is: its room is taken before it is written to.
			if err := unix.Fallocate(int(file.Fd()), 0, 0, room); err != nil {
				return err
			}
			for at := int64(0); ctx.Err() == nil; at = (at + size) % room {
				if _, err := file.WriteAt(make([]byte, size), at); err != nil {
					return err
				}
				if err := unix.Fdatasync(int(file.Fd())); err != nil {
					return err
				}
				count.Add(1)
			}
			return nil
		})
	}
	err = group.Wait()
	return float64(count.Load()) / time.Since(began).Seconds(), err
}

// recordedMemory holds proxies that keep every row under a result of ten gigabytes.
func recordedMemory(ctx context.Context, f *field, r *results) error {
	full := func(p *v1alpha1.AccessPolicySpec) { p.Recording.Output = v1alpha1.OutputFull }
	for name, how := range map[string]grant.Recording{
		volumeProcess: {Durability: v1alpha1.DurabilityProcess},
		bucketProcess: {Store: grant.StoreBucket, Durability: v1alpha1.DurabilityProcess},
	} {
		c, err := f.recorded(ctx, name+" in full", how, full)
		if err != nil {
			return err
		}
		if err := f.readLarge(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		peak, err := c.process.Resident("VmHWM")
		if err != nil {
			return err
		}
		c.process.Stop()
		c.name = name
		r.add(recordedLarge, c, float64(peak)/(1<<20))
	}
	return nil
}
