package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
	"sigs.k8s.io/yaml"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/proxy/standalone"
	"github.com/sallyport/sallyport/test/bench/measure"
)

const login = "deploy"

// contender is one way to the same server.
type contender struct {
	name string
	port int
	// process is nil for the server itself.
	process *measure.Process
}

// field is the server and everything that stands before it.
type field struct {
	options    options
	server     *sshtest.Server
	folder     string
	key        ssh.Signer
	contenders []*contender
}

// newField starts all.
func newField(ctx context.Context, o options) (*field, error) {
	// In memory: the disk is not what is measured.
	folder, err := os.MkdirTemp("/dev/shm", "sallyport-bench-")
	if err != nil {
		return nil, err
	}
	f := &field{options: o, folder: folder}
	if err := f.start(ctx); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *field) start(ctx context.Context) (err error) {
	// The server's accounts read and write in it.
	if err := os.Chmod(f.folder, 0o777); err != nil {
		return err
	}
	if err := f.makeKey(); err != nil {
		return err
	}
	if f.server, err = sshtest.Run(sshtest.Options{
		AuthorizedKeys: map[string][]ssh.PublicKey{login: {f.key.PublicKey()}},
		Config:         []string{"MaxStartups 1000", "MaxSessions 100"},
	}); err != nil {
		return err
	}
	if err := f.fill(); err != nil {
		return err
	}
	f.contenders = append(f.contenders, &contender{name: direct, port: f.server.Port})
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := f.run(ctx, relay, func(port int) (string, []string) {
		return self, []string{relayCommand, "--listen", measure.Local(port), "--to", measure.Local(f.server.Port), "--key", f.path("key")}
	}); err != nil {
		return err
	}
	for name, masking := range map[string]*v1alpha1.MaskingPolicy{ours: nil, oursDetectors: measure.AllDetectors()} {
		if err := f.grantFile(name, masking); err != nil {
			return err
		}
	}
	for _, name := range []string{ours, oursDetectors} {
		if err := f.run(ctx, name, f.proxy(name)); err != nil {
			return err
		}
	}
	return nil
}

func (f *field) proxy(name string) func(port int) (string, []string) {
	return func(port int) (string, []string) {
		return f.options.Proxy, []string{"--protocol", "ssh", "--grant-file", f.path(name, "grant.yaml"), "--listen", measure.Local(port)}
	}
}

// run starts a contender's process.
func (f *field) run(ctx context.Context, name string, how func(port int) (string, []string)) error {
	c, err := fresh(ctx, name, how)
	if err == nil {
		f.contenders = append(f.contenders, c)
	}
	return err
}

func fresh(ctx context.Context, name string, how func(port int) (string, []string)) (*contender, error) {
	port, err := measure.FreePort()
	if err != nil {
		return nil, err
	}
	program, args := how(port)
	process, err := measure.Start(ctx, measure.Local(port), nil, program, args...)
	return &contender{name, port, process}, err
}

func (f *field) path(parts ...string) string {
	return filepath.Join(append([]string{f.folder}, parts...)...)
}

// makeKey makes the one key that the client, the relay and the proxy log in with.
func (f *field) makeKey() error {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(private, "bench")
	if err != nil {
		return err
	}
	if f.key, err = ssh.NewSignerFromKey(private); err != nil {
		return err
	}
	return os.WriteFile(f.path("key"), pem.EncodeToMemory(block), 0o600)
}

// fill makes the file that is moved: lines of letters, in which no detector finds anything.
func (f *field) fill() error {
	content := make([]byte, 1<<20)
	file, err := os.Create(f.path("file"))
	if err != nil {
		return err
	}
	defer file.Close()
	for written := int64(0); written < f.options.bytes; written += int64(len(content)) {
		if _, err := rand.Read(content); err != nil {
			return err
		}
		for i := range content {
			content[i] = 'a' + content[i]%26
			if i%80 == 79 {
				content[i] = '\n'
			}
		}
		if _, err := file.Write(content); err != nil {
			return err
		}
	}
	return os.Chmod(f.path("file"), 0o644)
}

// grantFile grants what the workloads do, and judges each operation by a rule.
func (f *field) grantFile(name string, masking *v1alpha1.MaskingPolicy) error {
	if err := os.MkdirAll(f.path(name), 0o755); err != nil {
		return err
	}
	key, err := os.ReadFile(f.path("key"))
	if err != nil {
		return err
	}
	spec := v1alpha1.AccessPolicySpec{
		TaskTypes: []string{"bench"}, Targets: []string{"bench"},
		Grant: v1alpha1.Grant{SSH: &v1alpha1.SSHGrant{
			Logins:   []string{login},
			Commands: []v1alpha1.CommandGrant{{Argv: []string{"cat"}}, {Argv: []string{"true"}}, {Argv: []string{"cat", "*"}}, {Argv: []string{"dd", "**"}}},
			Files: []v1alpha1.FileGrant{{Path: f.folder + "/**", Access: []v1alpha1.FileAccess{
				v1alpha1.FileRead, v1alpha1.FileWrite, v1alpha1.FileDelete}}},
			UnmaskedStreams: masking != nil,
		}},
		Rules:   []v1alpha1.Rule{{Name: "no-root", When: `action.login == "root"`, Effect: v1alpha1.EffectDeny}},
		Review:  v1alpha1.ReviewPolicy{AutoApprove: "true"},
		Masking: masking,
		Session: v1alpha1.SessionPolicy{MaxDurationSeconds: 86400, MaxConcurrent: int32(f.options.sessions) + 50},
	}
	file := standalone.File{
		State: grant.State{
			Task: grant.Task{ID: "BENCH-1", Type: "bench", Request: "bench", Namespace: "bench", Requester: "bench", Target: "bench",
				ClientKeys: []string{strings.TrimSpace(string(ssh.MarshalAuthorizedKey(f.key.PublicKey())))}},
			Grant: &grant.Grant{PolicyName: "bench", Policy: spec, SSH: &grant.SSHUpstream{
				Host: "127.0.0.1", Addresses: []string{"127.0.0.1"}, Port: int32(f.server.Port),
				HostKeys:   []string{strings.TrimSpace(string(ssh.MarshalAuthorizedKey(f.server.HostKey)))},
				PrivateKey: grant.Secret(key),
			}},
		},
		Recording: standalone.Recording{Directory: f.path(name)},
	}
	content, err := yaml.Marshal(file)
	if err != nil {
		return err
	}
	return os.WriteFile(f.path(name, "grant.yaml"), content, 0o600)
}

// Close stops everything.
func (f *field) Close() error {
	for _, c := range f.contenders {
		if c.process != nil {
			c.process.Stop()
		}
	}
	if f.server != nil {
		f.server.Close()
	}
	return os.RemoveAll(f.folder)
}

func (c *contender) String() string { return fmt.Sprintf("%s (port %s)", c.name, strconv.Itoa(c.port)) }
