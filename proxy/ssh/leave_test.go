package ssh

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// Commands end with the channel, though OpenSSH keeps a channel until the command has
// closed its stderr: one that ignores the signal does not take the client's places.
func TestSSH5_AChannelThatIsClosedMidwayGivesItsPlaceBack(t *testing.T) {
	t.Parallel()
	for name, trial := range map[string]struct {
		command string
		rounds  int
		ends    bool
	}{
		"the command takes the signal":     {"echo ready; exec sleep 60", 3, true},
		"the command ignores the signal":   {"trap '' HUP; echo ready; sleep 5", 1, false},
		"the command has closed its input": {"exec <&-; echo ready; exec sleep 60", 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := granted(t, unrestricted())
			client := b.connect(t)
			const together = 12
			for range trial.rounds {
				var all sync.WaitGroup
				for range together {
					// What counted the places gives them back behind its own end.
					var s *ssh.Session
					await(t, "a place", func() bool {
						var err error
						s, err = client.NewSession()
						return err == nil
					})
					all.Go(func() {
						out, err := s.StdoutPipe()
						if err == nil {
							err = s.Start(trial.command)
						}
						if err == nil {
							_, err = out.Read(make([]byte, 1))
						}
						if err != nil {
							t.Error(err)
						}
						_ = s.Close()
					})
				}
				all.Wait()
				closed := time.Now()
				awaitPlaces(t, client)
				if took := time.Since(closed); took > 3*time.Second {
					t.Errorf("the places came back after %v", took)
				}
			}
			if trial.ends {
				await(t, "the end of each command by SIGHUP", func() bool {
					hung := 0
					for _, event := range b.events(t) {
						if event.Result != nil && event.Result.Tag == "signal HUP" {
							hung++
						}
					}
					return hung == trial.rounds*together
				})
			}
		})
	}
}

// awaitPlaces waits until a client may open all the channels that it may have.
func awaitPlaces(t *testing.T, client *ssh.Client) {
	t.Helper()
	var open []ssh.Channel
	defer func() {
		for _, channel := range open {
			_ = channel.Close()
		}
	}()
	await(t, "the return of all places", func() bool {
		for len(open) < maxChannels {
			channel, requests, err := client.OpenChannel("session", nil)
			if err != nil {
				return false
			}
			go ssh.DiscardRequests(requests)
			open = append(open, channel)
		}
		return true
	})
}

func TestLIFE1_WhatStillRunsIsHungUpWithItsConnection(t *testing.T) {
	t.Parallel()
	needTarget(t)
	folder := t.TempDir()
	open(t, filepath.Dir(folder))
	open(t, folder)
	for name, trial := range map[string]struct {
		terminal bool
		end      func(*bench, *ssh.Client)
	}{
		"the-task-ends-a-terminal": {true, func(b *bench, _ *ssh.Client) { b.Update(sessiontest.Ended(b.Key)) }},
		"the-task-ends":            {false, func(b *bench, _ *ssh.Client) { b.Update(sessiontest.Ended(b.Key)) }},
		"the-client-leaves":        {false, func(_ *bench, client *ssh.Client) { _ = client.Close() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := granted(t, unrestricted())
			client := b.connect(t)
			mark := filepath.Join(folder, name)
			s := newSession(t, client)
			out, err := s.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if trial.terminal {
				if err := s.RequestPty("xterm", 24, 80, nil); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Start("trap 'echo > " + mark + "; exit' HUP; exec 2>&-; echo ready; while :; do sleep 0.05; done"); err != nil {
				t.Fatal(err)
			}
			if _, err := out.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			trial.end(b, client)
			await(t, "the command's SIGHUP", func() bool {
				_, err := os.Stat(mark)
				return err == nil
			})
		})
	}
}

func TestSSH5_WhatAClientSendsBeforeItClosesReachesTheProgram(t *testing.T) {
	t.Parallel()
	client := granted(t, unrestricted()).connect(t)
	folder := t.TempDir()
	open(t, filepath.Dir(folder))
	open(t, folder)
	mark := filepath.Join(folder, "kept")
	s := newSession(t, client)
	in, err := s.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("cat > " + mark); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("all of it")); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	await(t, "the file", func() bool {
		got, err := os.ReadFile(mark)
		return err == nil && string(got) == "all of it"
	})
}
