package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// errRefused is a request that was answered with a failure, without words.
var errRefused = errors.New("refused")

func ok(done bool, err error) error {
	if err == nil && !done {
		return errRefused
	}
	return err
}

// echo is a server beside the target, on TCP and on a Unix socket of the target's.
func echo(t *testing.T, network, address string) net.Listener {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return listener
}

// says writes to a connection, ends it, and reads it to its end.
func says(conn net.Conn, err error) error {
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "hello"); err != nil {
		return err
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		if err := half.CloseWrite(); err != nil {
			return err
		}
	}
	back, err := io.ReadAll(io.LimitReader(conn, 5))
	if err == nil && string(back) != "hello" {
		err = fmt.Errorf("%q came back", back)
	}
	return err
}

// stand is what a row of the table has.
type stand struct {
	*bench
	client *ssh.Client
	tcp    *net.TCPAddr
	// socket is listened on; free is a path that nobody listens on.
	socket, free string
}

// on opens a session and does something with it; its error has what stderr said.
func (s *stand) on(do func(*ssh.Session) error) error {
	session, err := s.client.NewSession()
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	var stderr bytes.Buffer
	session.Stderr = &stderr
	if err := do(session); err != nil {
		return fmt.Errorf("%w: %s", err, stderr.String())
	}
	return nil
}

// raw opens a session without package ssh's own handling; the error has what stderr said.
func (s *stand) raw(do func(ssh.Channel) error) error {
	channel, requests, err := s.client.OpenChannel("session", nil)
	if err != nil {
		return err
	}
	go ssh.DiscardRequests(requests)
	done := do(channel)
	_ = channel.Close()
	words, _ := io.ReadAll(channel.Stderr())
	if done != nil {
		return fmt.Errorf("%w: %s", done, words)
	}
	return nil
}

// request sends a request on a session that then runs nothing.
func (s *stand) request(kind string, payload any) error {
	return s.raw(func(channel ssh.Channel) error {
		var data []byte
		if payload != nil {
			data = ssh.Marshal(payload)
		}
		return ok(channel.SendRequest(kind, true, data))
	})
}

// running sends a request while a program runs.
func (s *stand) running(kind string, payload any) error {
	return s.on(func(session *ssh.Session) error {
		in, err := session.StdinPipe()
		if err != nil {
			return err
		}
		if err := session.Start("cat"); err != nil {
			return err
		}
		var data []byte
		if payload != nil {
			data = ssh.Marshal(payload)
		}
		err = ok(session.SendRequest(kind, true, data))
		_ = in.Close()
		_ = session.Wait()
		return err
	})
}

func (s *stand) global(kind string, payload any) error {
	var data []byte
	if payload != nil {
		data = ssh.Marshal(payload)
	}
	done, _, err := s.client.SendRequest(kind, true, data)
	return ok(done, err)
}

func (s *stand) channel(kind string, payload any) error {
	var data []byte
	if payload != nil {
		data = ssh.Marshal(payload)
	}
	channel, requests, err := s.client.OpenChannel(kind, data)
	if err == nil {
		go ssh.DiscardRequests(requests)
		_ = channel.Close()
	}
	return err
}

// tcp is where something else on loopback listens.
func (s *stand) forward(network, address string) error { return says(s.client.Dial(network, address)) }

// listens has the target listen, and connects to that.
func (s *stand) listens(listener net.Listener, err error) error {
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	served := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			_, err = io.Copy(conn, conn)
			_ = conn.Close()
		}
		served <- err
	}()
	if err := says(net.Dial(listener.Addr().Network(), listener.Addr().String())); err != nil {
		return err
	}
	return <-served
}

// TestSSH3_EveryChannelAndRequestMeetsThePolicy is the table of all that RFC 4254 and
// OpenSSH know, and of what nobody knows: allowed under a grant of its own, denied
// under a grant of something else, and the session usable afterwards (CVE-2023-45140).
func TestSSH3_EveryChannelAndRequestMeetsThePolicy(t *testing.T) {
	t.Parallel()
	needTarget(t)
	type row struct {
		name string
		// kind of the operation in the recording; empty where there is none.
		kind string
		// grant that allows it; nil where nothing does.
		grant func(*stand, *v1alpha1.SSHGrant)
		do    func(*stand) error
		// free says that it needs no grant.
		free bool
		// silent says that SSH has no words for its refusal.
		silent bool
	}
	cat := func(_ *stand, g *v1alpha1.SSHGrant) {
		g.Commands = append(g.Commands, v1alpha1.CommandGrant{Argv: []string{"cat"}})
	}
	shell := func(_ *stand, g *v1alpha1.SSHGrant) { g.Shell = v1alpha1.ShellRecorded }
	terminal := func(_ *stand, g *v1alpha1.SSHGrant) { g.Terminal = true }
	pty := &ptyRequest{Term: "xterm", Columns: 80, Rows: 24, Modes: "\x00"}
	table := []row{
		{name: "shell", kind: "shell", grant: shell, do: func(s *stand) error {
			return s.on(func(session *ssh.Session) error {
				session.Stdin = strings.NewReader("exit 0\n")
				if err := session.Shell(); err != nil {
					return err
				}
				return session.Wait()
			})
		}},
		{name: "exec", kind: "exec", grant: cat, do: func(s *stand) error {
			return s.on(func(session *ssh.Session) error { return session.Run("cat") })
		}},
		{name: "exec of two commands of which one is granted", kind: "exec", do: func(s *stand) error {
			return s.on(func(session *ssh.Session) error { return session.Run("true; id") })
		}},
		{name: "exec that only a shell understands", kind: "exec", do: func(s *stand) error {
			return s.on(func(session *ssh.Session) error { return session.Run("true $(id)") })
		}},
		{name: "subsystem sftp", kind: "sftp", grant: func(_ *stand, g *v1alpha1.SSHGrant) {
			g.Files = []v1alpha1.FileGrant{{Path: "/**", Access: []v1alpha1.FileAccess{v1alpha1.FileRead}}}
		}, do: func(s *stand) error {
			return s.raw(func(channel ssh.Channel) error {
				if err := ok(channel.SendRequest("subsystem", true, ssh.Marshal(&subsystemRequest{"sftp"}))); err != nil {
					return err
				}
				// SSH_FXP_INIT of version 3, and SSH_FXP_VERSION.
				if _, err := channel.Write([]byte{0, 0, 0, 5, 1, 0, 0, 0, 3}); err != nil {
					return err
				}
				head := make([]byte, 5)
				if _, err := io.ReadFull(channel, head); err != nil {
					return err
				}
				if head[4] != 2 {
					return fmt.Errorf("message %d", head[4])
				}
				return nil
			})
		}},
		{name: "subsystem of another name", kind: "subsystem", do: func(s *stand) error {
			return s.raw(func(channel ssh.Channel) error {
				if err := ok(channel.SendRequest("subsystem", true, ssh.Marshal(&subsystemRequest{"netconf"}))); err != nil {
					return err
				}
				_, err := io.ReadFull(channel, make([]byte, 1))
				return err
			})
		}},
		{name: "pty-req", kind: "terminal", grant: terminal, do: func(s *stand) error { return s.request("pty-req", pty) }},
		{name: "window-change without a terminal", do: func(s *stand) error {
			return s.running("window-change", &windowChange{Columns: 100, Rows: 50})
		}, silent: true},
		{name: "window-change", kind: "terminal", grant: terminal, do: func(s *stand) error {
			return s.raw(func(channel ssh.Channel) error {
				if err := ok(channel.SendRequest("pty-req", true, ssh.Marshal(pty))); err != nil {
					return err
				}
				return ok(channel.SendRequest("window-change", true, ssh.Marshal(&windowChange{Columns: 100, Rows: 50})))
			})
		}},
		{name: "env", kind: "env", grant: func(_ *stand, g *v1alpha1.SSHGrant) { g.Environment = []string{"COLOUR"} },
			do: func(s *stand) error { return s.request("env", &envRequest{"COLOUR", "blue"}) }, silent: true},
		{name: "auth-agent-req@openssh.com", kind: "agent-forward", grant: func(_ *stand, g *v1alpha1.SSHGrant) { g.AgentForwarding = true },
			do: func(s *stand) error { return s.request("auth-agent-req@openssh.com", nil) }},
		{name: "x11-req", kind: "x11-forward", grant: func(_ *stand, g *v1alpha1.SSHGrant) { g.X11Forwarding = true },
			do: func(s *stand) error {
				return s.request("x11-req", &x11Request{Protocol: "MIT-MAGIC-COOKIE-1", Cookie: "00112233445566778899aabbccddeeff"})
			}},
		{name: "signal", kind: "signal", grant: cat, do: func(s *stand) error { return s.running("signal", &signalRequest{"USR1"}) }, silent: true},
		{name: "signal to nothing", do: func(s *stand) error { return s.request("signal", &signalRequest{"USR1"}) }, silent: true},
		{name: "eow@openssh.com to nothing", do: func(s *stand) error { return s.request("eow@openssh.com", nil) }, silent: true},
		{name: "break to nothing", do: func(s *stand) error { return s.request("break", &struct{ Length uint32 }{500}) }, silent: true},
		{name: "keepalive@openssh.com on a channel", free: true, do: func(s *stand) error { return s.request(keepalive, nil) }},
		{name: "exit-status from a client", kind: "exit-status", do: func(s *stand) error { return s.request("exit-status", &exitStatus{0}) }},
		{name: "a request that nobody knows", kind: "winadj@putty.example", do: func(s *stand) error { return s.request("winadj@putty.example", nil) }},

		{name: "direct-tcpip", kind: "direct-tcpip", grant: func(s *stand, g *v1alpha1.SSHGrant) {
			g.Forwards = []v1alpha1.ForwardGrant{{Host: "127.0.0.1", Ports: []int32{int32(s.tcp.Port)}}}
		}, do: func(s *stand) error { return s.forward("tcp", s.tcp.String()) }},
		{name: "direct-tcpip to another port", kind: "direct-tcpip", do: func(s *stand) error { return s.forward("tcp", "127.0.0.1:1") }},
		{name: "direct-streamlocal@openssh.com", kind: "direct-streamlocal", grant: func(s *stand, g *v1alpha1.SSHGrant) {
			g.Sockets = []v1alpha1.SocketGrant{{Path: s.socket}}
		}, do: func(s *stand) error { return s.forward("unix", s.socket) }},
		{name: "tcpip-forward and forwarded-tcpip", kind: "tcpip-forward", grant: func(_ *stand, g *v1alpha1.SSHGrant) {
			g.Listeners = []v1alpha1.ForwardGrant{{Host: "127.0.0.1"}}
		}, do: func(s *stand) error { return s.listens(s.client.Listen("tcp", "127.0.0.1:0")) }, silent: true},
		{name: "streamlocal-forward@openssh.com and forwarded-streamlocal@openssh.com", kind: "streamlocal-forward",
			grant: func(s *stand, g *v1alpha1.SSHGrant) {
				g.Sockets = []v1alpha1.SocketGrant{{Path: s.free, Listen: true}}
			}, do: func(s *stand) error { return s.listens(s.client.ListenUnix(s.free)) }, silent: true},
		{name: "streamlocal-forward of a socket to connect to", kind: "streamlocal-forward", do: func(s *stand) error {
			return s.listens(s.client.ListenUnix(s.free))
		}, silent: true},
		{name: "session with data", do: func(s *stand) error { return s.channel("session", &socketRequest{"x"}) }},
		{name: "x11 from a client", kind: "x11", do: func(s *stand) error { return s.channel("x11", &x11Channel{"127.0.0.1", 1}) }},
		{name: "auth-agent from a client", kind: "auth-agent@openssh.com", do: func(s *stand) error { return s.channel("auth-agent@openssh.com", nil) }},
		{name: "forwarded-tcpip from a client", kind: "forwarded-tcpip", do: func(s *stand) error {
			return s.channel("forwarded-tcpip", &tcpipChannel{"127.0.0.1", 22, "127.0.0.1", 1})
		}},
		{name: "tun@openssh.com", kind: "tun@openssh.com", do: func(s *stand) error {
			return s.channel("tun@openssh.com", &struct{ Mode, Unit uint32 }{1, 0})
		}},
		{name: "a channel that nobody knows", kind: "direct-vsock", do: func(s *stand) error { return s.channel("direct-vsock", nil) }},

		{name: "cancel-tcpip-forward of another's", do: func(s *stand) error {
			return s.global("cancel-tcpip-forward", &forwardRequest{"127.0.0.1", 22})
		}, silent: true},
		{name: "cancel-streamlocal-forward@openssh.com of another's", do: func(s *stand) error {
			return s.global("cancel-streamlocal-forward@openssh.com", &socketRequest{"/x"})
		}, silent: true},
		{name: "keepalive@openssh.com", free: true, do: func(s *stand) error { return s.global(keepalive, nil) }},
		{name: "hostkeys-prove-00@openssh.com", kind: "hostkeys-prove-00@openssh.com", silent: true,
			do: func(s *stand) error { return s.global("hostkeys-prove-00@openssh.com", nil) }},
		{name: "a global request that nobody knows", kind: "elevation", silent: true, do: func(s *stand) error { return s.global("elevation", nil) }},
	}
	for _, row := range table {
		run := func(name string, allowed bool, change func(*stand, *v1alpha1.SSHGrant)) {
			t.Run(row.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				s := newStand(t)
				grant := v1alpha1.SSHGrant{Commands: []v1alpha1.CommandGrant{{Argv: []string{"true"}}}}
				if change != nil {
					change(s, &grant)
				}
				policy := granting(grant)
				if name == "unrestricted" {
					policy = unrestricted()
				}
				s.grant(policy)
				s.client = s.connect(t)
				err := row.do(s)
				kind, effect := s.newest(t, row.kind)
				switch {
				case allowed && err != nil:
					t.Errorf("refused: %v", err)
				case !allowed && err == nil:
					t.Error("it passed")
				case !allowed && !row.silent && row.kind != "" && !strings.Contains(err.Error(), "orders-read"):
					t.Errorf("the client is not told why: %v", err)
				}
				want := map[bool]string{true: string(v1alpha1.EffectAllow), false: string(v1alpha1.EffectDeny)}[allowed]
				// What needs the program of another operation has no verdict where that was refused.
				if row.kind != "" && (kind != row.kind || effect != want) && (row.name != "signal" || allowed) {
					t.Errorf("recorded as %q: %q, want %q: %q", kind, effect, row.kind, want)
				}
				if err := s.on(func(session *ssh.Session) error { return session.Run("true") }); err != nil {
					t.Errorf("the session is not usable afterwards: %v", err)
				}
			})
		}
		if row.grant != nil {
			run("granted", true, row.grant)
		}
		if !row.free {
			run("denied", false, nil)
		} else {
			run("always", true, nil)
		}
	}
}

func newStand(t *testing.T) *stand {
	t.Helper()
	folder := t.TempDir()
	for dir := folder; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		open(t, dir)
	}
	s := &stand{bench: serve(t), socket: filepath.Join(folder, "s"), free: filepath.Join(folder, "f")}
	s.tcp = echo(t, "tcp", "127.0.0.1:0").Addr().(*net.TCPAddr) //nolint:forcetypeassert // it is
	echo(t, "unix", s.socket)
	open(t, s.socket)
	return s
}

// newest is the newest operation that is of the kind, or else the newest at all.
func (s *stand) newest(t *testing.T, wanted string) (kind, effect string) {
	t.Helper()
	number := int64(-1)
	for _, event := range s.events(t) {
		if o := event.Operation; o != nil && (o.Kind == wanted || kind != wanted) {
			number, kind, effect = o.ID, o.Kind, ""
		}
		if event.Verdict != nil && event.Verdict.Operation == number {
			effect = event.Verdict.Effect
		}
	}
	return kind, effect
}
