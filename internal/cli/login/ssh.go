package login

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/clientkey"
	"github.com/sallyport/sallyport/internal/cli/tunnel"
)

// Names of an SSH client's files.
const (
	configFile     = "config"
	knownHostsFile = "known_hosts"
	identityFile   = "identity"
)

// Config is the ssh_config that knows the proxy by the request's name: for the -F of
// ssh, scp and sftp.
func (l *Login) Config() string { return filepath.Join(l.Folder, configFile) }

// Lines are what people, and their programs, connect by: a connection string, or
// commands.
func (l *Login) Lines() []string {
	if l.Request.Status.Endpoint.HostKey == "" {
		return []string{l.Conninfo()}
	}
	config, host := l.Config(), l.Request.Name
	return []string{
		fmt.Sprintf("ssh -F %s %s", config, host),
		fmt.Sprintf("scp -F %s FILE %s:/PATH", config, host),
		fmt.Sprintf("sftp -F %s %s", config, host),
		fmt.Sprintf("rsync -e 'ssh -F %s' FILE %s:/PATH", config, host),
	}
}

// How says what to do with Lines.
func (l *Login) How() string {
	if l.Request.Status.Endpoint.HostKey == "" {
		return "with the line above, for example psql \"…\""
	}
	return "by one of the lines above"
}

func (l *Login) writeSSH(plan Plan) error {
	host := Host{
		Address: "127.0.0.1", Port: l.Tunnel.Port(),
		KnownHosts: filepath.Join(l.Folder, knownHostsFile), Identity: filepath.Join(l.Folder, identityFile),
	}
	known, err := host.Of(l.Request, plan.User)
	if err != nil {
		return err
	}
	private, err := clientkey.OpenSSH(plan.Key, l.Request.Name)
	if err != nil {
		return err
	}
	block, err := host.Block()
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{knownHostsFile: []byte(known), identityFile: private, configFile: []byte(block)} {
		if err := os.WriteFile(filepath.Join(l.Folder, name), content, 0o600); err != nil {
			return fmt.Errorf("write the client's files: %w", err)
		}
	}
	return nil
}

// Pipe waits until the proxy listens, and carries one connection to it: the
// ProxyCommand of ssh_config(5).
func Pipe(ctx context.Context, plan Plan, local io.ReadWriteCloser) error {
	r, err := Await(ctx, plan)
	if err != nil {
		return err
	}
	endpoint := r.Status.Endpoint
	t, err := reach(ctx, plan, endpoint, func(dialer httpstream.Dialer) (*tunnel.Tunnel, error) {
		return tunnel.Single(dialer, endpoint.Port)
	})
	if err != nil {
		return err
	}
	// Ctrl-C reaches the whole terminal, and is for the program to judge: sftp stops a
	// transfer by it, and goes on. ssh ends its ProxyCommand by SIGHUP.
	ctx, stop := signal.NotifyContext(context.WithoutCancel(ctx), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return t.Carry(ctx, local)
}

// Host is a Host block of ssh_config(5) for one request: reached at an address, or by
// a command.
type Host struct {
	// Alias is what people call it, Name what its host key is known by.
	Alias, User, Name string
	// Address and Port, or ProxyCommand.
	Address      string
	Port         int
	ProxyCommand string
	// Paths of files.
	KnownHosts, Identity string
}

// ErrNotSSH is a request for a target of another protocol.
var ErrNotSSH = errors.New("the request's target is no SSH server: see kubectl access connect")

// What a name and a login may be, so that they are nothing else to ssh.
var (
	hostForm  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
	loginForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
)

// Of fills in what the request's status says, and returns the content of KnownHosts.
// user is one of its logins; the first, if empty.
func (h *Host) Of(r *v1alpha1.TaskAccessRequest, user string) (known string, err error) {
	e := r.Status.Endpoint
	if e == nil || e.HostKey == "" {
		return "", fmt.Errorf("%s: %w", r.Name, ErrNotSSH)
	}
	if user == "" && len(e.Logins) > 0 {
		user = e.Logins[0]
	}
	if !slices.Contains(e.Logins, user) || !loginForm.MatchString(user) {
		return "", fmt.Errorf("%s has no login %q: it has %s", r.Name, user, strings.Join(e.Logins, ", "))
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(e.HostKey))
	if err != nil || !hostForm.MatchString(e.ServerName) || !hostForm.MatchString(r.Name) {
		return "", fmt.Errorf("%s: its status does not say how its proxy is known: close it, and ask anew", r.Name)
	}
	h.Alias, h.User, h.Name = r.Name, user, e.ServerName
	return e.ServerName + " " + string(ssh.MarshalAuthorizedKey(key)), nil
}

// Block is the text. Nothing but the one key is offered, and nothing but the one host
// key is taken; whatever else is asked for on a command line, the proxy judges.
func (h *Host) Block() (string, error) {
	identity, err := quotePath(h.Identity)
	if err != nil {
		return "", err
	}
	known, err := quotePath(h.KnownHosts)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Host %s\n", h.Alias)
	line := func(key, value string) { fmt.Fprintf(&b, "    %s %s\n", key, value) }
	if h.ProxyCommand != "" {
		line("HostName", h.Name)
		line("ProxyCommand", h.ProxyCommand)
	} else {
		line("HostName", h.Address)
		line("Port", fmt.Sprint(h.Port))
		line("ProxyCommand", "none")
	}
	line("User", h.User)
	line("HostKeyAlias", h.Name)
	line("CheckHostIP", "no")
	line("UserKnownHostsFile", known)
	line("GlobalKnownHostsFile", "/dev/null")
	line("StrictHostKeyChecking", "yes")
	// A resolver's word would go before the file's, if the user's own configuration lets it.
	line("VerifyHostKeyDNS", "no")
	line("UpdateHostKeys", "no")
	line("IdentityFile", identity)
	line("IdentitiesOnly", "yes")
	line("PreferredAuthentications", "publickey")
	// The proxy holds a connection as long as its review takes.
	line("ConnectTimeout", "0")
	line("ServerAliveInterval", "30")
	return b.String(), nil
}

// quotePath makes a path an argument of ssh_config(5), in which % and ${} stand for
// something else.
func quotePath(path string) (string, error) {
	if strings.ContainsAny(path, "\"\\\r\n") || strings.Contains(path, "${") {
		return "", fmt.Errorf("ssh cannot be told of %q: set another configuration folder, or TMPDIR", path)
	}
	return `"` + strings.ReplaceAll(path, "%", "%%") + `"`, nil
}
