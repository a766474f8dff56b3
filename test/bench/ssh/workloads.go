package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/errgroup"

	"github.com/sallyport/sallyport/test/bench/measure"
)

// transfers moves the file in every way, with OpenSSH's own clients.
func transfers(ctx context.Context, f *field, r *results) error {
	for _, measured := range bulk {
		for _, c := range f.contenders {
			if err := f.transfer(ctx, r, c, measured); err != nil {
				return fmt.Errorf("%s through %s: %w", measured, c, err)
			}
		}
	}
	return nil
}

func (f *field) transfer(ctx context.Context, r *results, c *contender, measured string) error {
	command, err := f.client(ctx, c, measured)
	if err != nil {
		return err
	}
	defer hangUp(command)
	var failure strings.Builder
	command.Stderr = &failure
	before, err := c.used()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := command.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, failure.String())
	}
	elapsed := time.Since(began)
	after, err := c.used()
	r.add(measured, c, float64(f.options.bytes)/1e6/elapsed.Seconds())
	if measured == sftpDownload && c.process != nil {
		r.add(processor, c, (after-before).Seconds()/(float64(f.options.bytes)/1e9))
	}
	return errors.Join(err, f.arrived(measured), f.forgetRecordings(c))
}

// client is the command that moves the file.
func (f *field) client(ctx context.Context, c *contender, measured string) (*exec.Cmd, error) {
	file, copied, host := f.path("file"), f.path("copy"), login+"@127.0.0.1"
	if err := os.Remove(copied); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	program, args := "ssh", []string(nil)
	var input string
	switch measured {
	case sshDownload:
		args = []string{host, "cat " + file}
	case sshUpload:
		args, input = []string{host, "dd bs=256k status=none of=" + copied}, file
	case sftpDownload:
		program, args = "sftp", []string{"-q", host + ":" + file, copied}
	case sftpUpload:
		program, args, input = "sftp", []string{"-q", "-b", "-", host}, "put "+file+" "+copied+"\n"
	case scpDownload:
		program, args = "scp", []string{"-q", "-O", host + ":" + file, copied}
	case scpUpload:
		program, args = "scp", []string{"-q", "-O", file, host + ":" + copied}
	}
	port := "-P"
	if program == "ssh" {
		port = "-p"
	}
	command := exec.CommandContext(ctx, program, append(f.flags(port, c), args...)...)
	switch measured {
	case sftpUpload:
		command.Stdin = strings.NewReader(input)
	case sshUpload:
		from, err := os.Open(input)
		if err != nil {
			return nil, err
		}
		command.Stdin = from
	case sshDownload:
		to, err := os.Create(copied)
		if err != nil {
			return nil, err
		}
		command.Stdout = to
	}
	return command, nil
}

// hangUp closes the files that a client was given.
func hangUp(command *exec.Cmd) {
	for _, end := range []any{command.Stdin, command.Stdout} {
		if file, ok := end.(*os.File); ok {
			_ = file.Close()
		}
	}
}

func (f *field) flags(port string, c *contender) []string {
	return []string{"-F", "/dev/null", port, strconv.Itoa(c.port), "-i", f.path("key"), "-c", cipher,
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes"}
}

// arrived checks that all of it came through.
func (f *field) arrived(measured string) error {
	info, err := os.Stat(f.path("copy"))
	if err == nil && info.Size() != f.options.bytes {
		err = fmt.Errorf("%s moved %d bytes of %d", measured, info.Size(), f.options.bytes)
	}
	return err
}

// forgetRecordings keeps memory from filling with what every round recorded.
func (f *field) forgetRecordings(c *contender) error {
	entries, err := os.ReadDir(f.path(c.name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		if entry.IsDir() {
			err = errors.Join(err, os.RemoveAll(f.path(c.name, entry.Name())))
		}
	}
	return err
}

func (c *contender) used() (time.Duration, error) {
	if c.process == nil {
		return 0, nil
	}
	return c.process.Processor()
}

// dial is a connection of this process.
func (f *field) dial(c *contender) (*ssh.Client, error) {
	return ssh.Dial("tcp", measure.Local(c.port), &ssh.ClientConfig{
		Config: ssh.Config{Ciphers: []string{cipher}}, User: login, Auth: []ssh.AuthMethod{ssh.PublicKeys(f.key)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: 30 * time.Second,
	})
}

// open is a connection with a command that says back what it hears.
func (f *field) open(c *contender) (*ssh.Client, io.WriteCloser, io.Reader, error) {
	client, err := f.dial(c)
	if err != nil {
		return nil, nil, nil, err
	}
	session, err := client.NewSession()
	if err != nil {
		return client, nil, nil, err
	}
	in, err := session.StdinPipe()
	if err != nil {
		return client, nil, nil, err
	}
	out, err := session.StdoutPipe()
	if err != nil {
		return client, nil, nil, err
	}
	return client, in, out, session.Start("cat")
}

// echo sends single bytes, and waits for each to come back.
func echo(ctx context.Context, f *field, r *results) error {
	for _, c := range f.contenders {
		client, in, out, err := f.open(c)
		if err != nil {
			return fmt.Errorf("echo through %s: %w", c, err)
		}
		taken := make([]time.Duration, 0, f.options.echoes)
		one := []byte{'x'}
		for range f.options.echoes {
			began := time.Now()
			if _, err := in.Write(one); err != nil {
				return err
			}
			if _, err := io.ReadFull(out, one); err != nil {
				return fmt.Errorf("echo through %s: %w", c, err)
			}
			taken = append(taken, time.Since(began))
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
		_ = client.Close()
		slices.Sort(taken)
		r.add(echoed, c, float64(taken[len(taken)/2].Nanoseconds())/1e6)
	}
	return nil
}

// connections opens one after the other, from four clients at once, with a command in each.
func connections(ctx context.Context, f *field, r *results) error {
	for _, c := range f.contenders {
		var opened atomic.Int64
		began := time.Now()
		group, ctx := errgroup.WithContext(ctx)
		for range 4 {
			group.Go(func() error {
				for time.Since(began) < time.Duration(f.options.seconds)*time.Second && ctx.Err() == nil {
					client, err := f.dial(c)
					if err != nil {
						return err
					}
					session, err := client.NewSession()
					if err != nil {
						return err
					}
					if err := session.Run("true"); err != nil {
						return err
					}
					opened.Add(1)
					_ = client.Close()
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return fmt.Errorf("connections through %s: %w", c, err)
		}
		r.add(connected, c, float64(opened.Load())/time.Since(began).Seconds())
		if err := f.forgetRecordings(c); err != nil {
			return err
		}
	}
	return nil
}

// memory holds many sessions open that each have said something, before a fresh relay and
// a fresh proxy.
func memory(ctx context.Context, f *field, r *results) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for name, how := range map[string]func(int) (string, []string){
		relay: func(port int) (string, []string) {
			return self, []string{relayCommand, "--listen", measure.Local(port), "--to", measure.Local(f.server.Port), "--key", f.path("key")}
		},
		ours: f.proxy(ours), oursDetectors: f.proxy(oursDetectors),
	} {
		c, err := fresh(ctx, name, how)
		if err != nil {
			return err
		}
		peak, err := f.hold(c)
		c.process.Stop()
		if err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
		r.add(resident, c, float64(peak)/(1<<20))
	}
	return nil
}

func (f *field) hold(c *contender) (peak int64, err error) {
	clients := make([]*ssh.Client, f.options.sessions)
	defer func() {
		for _, client := range clients {
			if client != nil {
				_ = client.Close()
			}
		}
	}()
	var group errgroup.Group
	group.SetLimit(8)
	for i := range clients {
		group.Go(func() error {
			client, in, out, err := f.open(c)
			clients[i] = client
			if err != nil {
				return err
			}
			if _, err := in.Write([]byte("hello\n")); err != nil {
				return err
			}
			_, err = io.ReadFull(out, make([]byte, len("hello\n")))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	return c.process.Resident("VmHWM")
}
