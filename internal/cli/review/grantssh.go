package review

import (
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// grantSSH says what a task would get on an SSH server, one line each.
func grantSSH(g *v1alpha1.SSHGrant) []string {
	lines := []string{"log in as " + strings.Join(g.Logins, ", ")}
	add := func(given bool, format string, args ...any) {
		if given {
			lines = append(lines, fmt.Sprintf(format, args...))
		}
	}
	add(g.Unrestricted, "EVERYTHING that the account may do: a shell, commands, files, forwarding")
	switch g.Shell {
	case v1alpha1.ShellDenied:
	case v1alpha1.ShellRecorded:
		lines = append(lines, "a shell of the account, recorded as it shows: what is typed in it is not judged")
	case v1alpha1.ShellRestricted:
		lines = append(lines, "a restricted shell: each line is judged as a command")
	}
	for _, c := range g.Commands {
		lines = append(lines, "run "+words(c.Argv))
	}
	add(g.Terminal, "a terminal for commands")
	for _, f := range g.Files {
		access := make([]string, len(f.Access))
		for i, a := range f.Access {
			access[i] = strings.ToLower(string(a))
		}
		line := strings.Join(access, ", ") + " " + f.Path
		if f.MaxBytes > 0 {
			line += fmt.Sprintf(" up to %s a file", size(f.MaxBytes))
		}
		lines = append(lines, line)
	}
	for _, r := range g.Repositories {
		verb := "fetch from"
		if r.Push {
			verb = "fetch from and push to"
		}
		lines = append(lines, verb+" repository "+r.Path)
	}
	for _, f := range g.Forwards {
		lines = append(lines, "connect through it to "+hostPorts(f))
	}
	for _, f := range g.Listeners {
		lines = append(lines, "make it listen on "+hostPorts(f)+" for the client")
	}
	for _, s := range g.Sockets {
		verb := "connect to"
		if s.Listen {
			verb = "connect to and listen on"
		}
		lines = append(lines, verb+" socket "+s.Path)
	}
	add(g.AgentForwarding, "USE the client's ssh-agent from the server")
	add(g.X11Forwarding, "USE the client's display from the server")
	add(len(g.Environment) > 0, "set variable %s", strings.Join(g.Environment, ", "))
	add(g.MaxUploadBytes > 0, "upload at most %s a session", size(g.MaxUploadBytes))
	add(g.MaxDownloadBytes > 0, "download at most %s a session", size(g.MaxDownloadBytes))
	add(g.UnmaskedStreams, "files, repositories and forwarded connections UNMASKED")
	return lines
}

// words shows a command so that its words can be told apart.
func words(argv []string) string {
	out := make([]string, len(argv))
	for i, word := range argv {
		out[i] = word
		if word == "" || strings.ContainsAny(word, " \t\r\n'\"") {
			out[i] = fmt.Sprintf("%q", word)
		}
	}
	return strings.Join(out, " ")
}

func hostPorts(f v1alpha1.ForwardGrant) string {
	if len(f.Ports) == 0 {
		return f.Host + ", any port"
	}
	ports := make([]string, len(f.Ports))
	for i, p := range f.Ports {
		ports[i] = fmt.Sprint(p)
	}
	return f.Host + " port " + strings.Join(ports, ", ")
}

// size is bytes as people say them; what is no whole number of a unit stays in a smaller.
func size(bytes int64) string {
	for _, unit := range []struct {
		name string
		of   int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if bytes >= unit.of && bytes%unit.of == 0 {
			return fmt.Sprintf("%d %s", bytes/unit.of, unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", bytes)
}
