package standalone_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/standalone"
)

var now = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func read(t *testing.T, content string) (standalone.File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "grant.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return standalone.Read(t.Context(), path, now)
}

func TestTheGrantFileOfTheDocumentsIsUnderstood(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/standalone.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "   ```yaml\n")
	block, _, found := strings.Cut(block, "   ```\n")
	if !found {
		t.Fatal("no YAML in the page")
	}
	file, err := read(t, strings.Replace(block, "db.example.net", "127.0.0.1", 1))
	if err != nil {
		t.Fatal(err)
	}
	if file.Phase != grant.Granted || !file.Grant.Deadline.Equal(now.Add(15*time.Minute)) ||
		file.Recording.Directory != "recordings" || file.Grant.Postgres.Addresses[0] != "127.0.0.1" {
		t.Errorf("%+v, %+v", file, file.Grant)
	}
	if _, err := policy.Compile(file.Grant.PolicyName, file.Grant.Policy); err != nil {
		t.Error(err)
	}
}

func TestAGrantFileThatCannotBeMeantIsRefused(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"an unknown field": "task: {requester: bob, clientKeys: [k]}\ngrnat: {}",
		"no requester":     "task: {clientKeys: [k]}",
		"nobody connects":  "task: {requester: bob}",
		"a path as UID":    "task: {requester: bob, clientKeys: [k], requestUID: ../x}",
		"too long":         "# " + strings.Repeat("x", 1<<20),
	} {
		if _, err := read(t, content); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestTheSourceEndsTheTaskAtItsDeadline(t *testing.T) {
	t.Parallel()
	file, err := read(t, "task: {requester: bob}\nclientToken: secret\ngrant: {deadline: 2026-03-01T09:00:00.05Z}")
	if err != nil {
		t.Fatal(err)
	}
	source, err := standalone.NewSource(file, nil, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	var phases []grant.Phase
	if err := source.Run(t.Context(), func(state grant.State) { phases = append(phases, state.Phase) }); err != nil {
		t.Fatal(err)
	}
	if len(phases) != 2 || phases[0] != grant.Granted || phases[1] != grant.Ended {
		t.Error(phases)
	}
	if user, err := source.Authenticate(t.Context(), "secret"); err != nil || user.Username != "bob" {
		t.Error(user, err)
	}
	for _, token := range []grant.Secret{"", "secre", "secrets"} {
		if _, err := source.Authenticate(t.Context(), token); err == nil {
			t.Errorf("%q was taken", token.Reveal())
		}
	}
}

func TestAFileWithoutAGrantWaits(t *testing.T) {
	t.Parallel()
	file, err := read(t, "phase: Waiting\nwait: for ever\ntask: {requester: bob, clientKeys: [k]}")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	source, err := standalone.NewSource(file, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	err = source.Run(ctx, func(state grant.State) {
		if state.Phase == grant.Waiting && state.Wait == "for ever" {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
