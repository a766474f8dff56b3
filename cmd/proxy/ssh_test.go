package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/grant"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/proxy/session/sessiontest"
)

// tryServer starts a real proxy in front of a real sshd, with its task's deadline.
func tryServer(t *testing.T, deadline time.Time) *trial {
	t.Helper()
	tr := &trial{directory: t.TempDir(), key: sessiontest.NewKey(t, sessiontest.Requester), exited: make(chan error, 1)}
	standing := sessiontest.NewKey(t, "of the target")
	signer, err := ssh.NewSignerFromKey(standing.Certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	target := sshtest.Start(t, sshtest.Options{AuthorizedKeys: map[string][]ssh.PublicKey{"deploy": {signer.PublicKey()}}})
	policy := sessiontest.ReadOrders()
	policy.Grant = v1alpha1.Grant{SSH: &v1alpha1.SSHGrant{Logins: []string{"deploy"}, Commands: []v1alpha1.CommandGrant{{Argv: []string{"echo", "**"}}, {Argv: []string{"sleep", "*"}}}}}
	state := sessiontest.GrantedSSH(policy, &grant.SSHUpstream{
		Host: "127.0.0.1", Addresses: []string{"127.0.0.1"}, Port: int32(target.Port),
		HostKeys:   []string{strings.TrimSpace(string(ssh.MarshalAuthorizedKey(target.HostKey)))},
		PrivateKey: grant.Secret(privateKey(t, standing)),
	})(tr.key)
	state.Grant.Deadline = deadline
	tr.write(t, "grant.yaml", grantFile(t, state))
	tr.write(t, "client", privateKey(t, tr.key))
	tr.start(t)
	return tr
}

// exitCode is a command's; -1 where it had none.
func exitCode(err error) int {
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return failed.ExitCode()
	}
	return -1
}

func privateKey(t *testing.T, key sessiontest.Key) []byte {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key.Certificate.PrivateKey, "")
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block)
}

// ssh is OpenSSH's client, which believes the known_hosts that the proxy wrote.
func (tr *trial) ssh(ctx context.Context, command string) *exec.Cmd {
	host, port, _ := net.SplitHostPort(tr.address)
	return exec.CommandContext(ctx, "ssh", "-F", "none", "-p", port, "-i", filepath.Join(tr.directory, "client"), "-o", "IdentitiesOnly=yes",
		"-o", "UserKnownHostsFile="+filepath.Join(tr.directory, "known_hosts"), "-o", "StrictHostKeyChecking=yes", "deploy@"+host, command)
}

func TestPlainOpenSSHRunsWhatIsGrantedThroughAProxyAlone(t *testing.T) {
	t.Parallel()
	tr := tryServer(t, time.Now().Add(time.Hour))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if out, err := tr.ssh(ctx, "echo hello").CombinedOutput(); err != nil || string(out) != "hello\n" {
		t.Fatalf("%q %v", out, err)
	}
	out, err := tr.ssh(ctx, "id").CombinedOutput()
	if code := exitCode(err); code != 126 || !strings.Contains(string(out), `lacks command "id"`) {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestLIFE1_TheDeadlineEndsACommandThatRunsAndSaysWhy(t *testing.T) {
	t.Parallel()
	deadline := time.Now().Add(6 * time.Second)
	tr := tryServer(t, deadline)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var said bytes.Buffer
	command := tr.ssh(ctx, "sleep 600")
	command.Stderr = &said
	err := command.Run()
	if late := time.Since(deadline); late > time.Second {
		t.Errorf("it ended %v after the deadline", late)
	}
	if err == nil || !strings.Contains(said.String(), "time is over") {
		t.Errorf("it ended with %v: %s", err, said.String())
	}
	if out, err := tr.ssh(ctx, "echo again").CombinedOutput(); exitCode(err) != 255 {
		t.Errorf("after its end: %v %s", err, out)
	}
}
