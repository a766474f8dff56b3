package process

import (
	"context"
	"os/exec"
	"testing"
	"time"
)

func start(t *testing.T) (*exec.Cmd, Identity) {
	t.Helper()
	command := exec.Command("sleep", "60")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	identity, err := Identify(command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return command, identity
}

func TestAKilledProcessIsNoLongerAlive(t *testing.T) {
	_, identity := start(t)
	if !identity.Alive() {
		t.Fatal("a new process is not alive")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := identity.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	// Not waited for yet, it is a zombie.
	if identity.Alive() {
		t.Error("a zombie counts as alive")
	}
	if err := identity.Kill(ctx); err != nil {
		t.Errorf("killing the dead: %v", err)
	}
}

func TestAStrangerWithTheSameNumberIsNotKilled(t *testing.T) {
	for name, change := range map[string]func(*Identity){
		"another start": func(i *Identity) { i.StartTicks++ },
		"another boot":  func(i *Identity) { i.BootID = "another" },
	} {
		t.Run(name, func(t *testing.T) {
			_, real := start(t)
			stranger := real
			change(&stranger)
			if stranger.Alive() {
				t.Error("the stranger is taken for the process")
			}
			if err := stranger.Kill(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !real.Alive() {
				t.Error("the stranger was killed")
			}
		})
	}
}

func TestNobodyIsNotAlive(t *testing.T) {
	if (Identity{}).Alive() {
		t.Error("the zero identity is alive")
	}
}
