package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// sshGrant is an SSHGrant made for matching. A nil one covers nothing.
type sshGrant struct {
	*v1alpha1.SSHGrant
	commands     []command
	files        []file
	repositories []repository
	sockets      []socket
	forwards     []forward
	listeners    []forward
}

type repository struct {
	path
	push bool
}

type socket struct {
	path
	listen bool
}

type forward struct {
	host  glob
	ports []int32
}

func newSSHGrant(g *v1alpha1.SSHGrant) *sshGrant {
	if g == nil {
		return nil
	}
	out := &sshGrant{SSHGrant: g, forwards: newForwards(g.Forwards), listeners: newForwards(g.Listeners)}
	for _, c := range g.Commands {
		out.commands = append(out.commands, newCommand(c))
	}
	for _, f := range g.Files {
		out.files = append(out.files, newFile(f))
	}
	for _, r := range g.Repositories {
		out.repositories = append(out.repositories, repository{newPath(r.Path), r.Push})
	}
	for _, s := range g.Sockets {
		out.sockets = append(out.sockets, socket{newPath(s.Path), s.Listen})
	}
	return out
}

func newForwards(grants []v1alpha1.ForwardGrant) []forward {
	var out []forward
	for _, g := range grants {
		out = append(out, forward{newGlob(strings.ToLower(g.Host), false), g.Ports})
	}
	return out
}

// sshKinds are the kinds of operations that a grant knows how to judge; whatever is not
// among them is outside of every grant. Each says what the grant lacks, "" for nothing.
var sshKinds = map[string]func(*sshGrant, *Action) string{
	"shell":    (*sshGrant).lacksShell,
	"terminal": (*sshGrant).lacksTerminal,
	"exec":     (*sshGrant).lacksCommands,
	"env":      (*sshGrant).lacksVariable,
	// Whoever has a channel may end what runs in it.
	"signal": func(*sshGrant, *Action) string { return "" },

	"sftp":      (*sshGrant).lacksAnyFile,
	"subsystem": (*sshGrant).lacksSubsystem,

	"scp upload":     (*sshGrant).lacksFiles,
	"scp download":   (*sshGrant).lacksFiles,
	"rsync upload":   (*sshGrant).lacksCountedFiles,
	"rsync download": (*sshGrant).lacksCountedFiles,

	"git-upload-pack":    (*sshGrant).lacksRepository,
	"git-upload-archive": (*sshGrant).lacksRepository,
	"git-receive-pack":   (*sshGrant).lacksRepository,

	"direct-tcpip":        func(g *sshGrant, a *Action) string { return lacksHost(g.forwards, "forwards", a) },
	"tcpip-forward":       func(g *sshGrant, a *Action) string { return lacksHost(g.listeners, "listeners", a) },
	"direct-streamlocal":  (*sshGrant).lacksSocket,
	"streamlocal-forward": (*sshGrant).lacksSocket,

	"agent-forward": func(g *sshGrant, _ *Action) string { return unless(g.AgentForwarding, "agentForwarding") },
	"x11-forward":   func(g *sshGrant, _ *Action) string { return unless(g.X11Forwarding, "x11Forwarding") },
}

// sftpKinds are the operations of sftp. The first ask about names alone, or make no
// difference: with any grant on a path, or on something below it, they may be asked.
var sftpKinds = map[string]func(*sshGrant, *Action) string{
	"realpath": (*sshGrant).lacksTrace, "expand-path": (*sshGrant).lacksTrace, "home-directory": (*sshGrant).lacksTrace,
	"stat": (*sshGrant).lacksTrace, "lstat": (*sshGrant).lacksTrace, "fstat": (*sshGrant).lacksTrace,
	"statvfs": (*sshGrant).lacksTrace, "fstatvfs": (*sshGrant).lacksTrace,
	"limits": (*sshGrant).lacksTrace, "users-groups-by-id": (*sshGrant).lacksTrace,

	"open": (*sshGrant).lacksFiles, "read": (*sshGrant).lacksFiles, "write": (*sshGrant).lacksFiles,
	"close": (*sshGrant).lacksFiles, "fsync": (*sshGrant).lacksFiles,
	"opendir": (*sshGrant).lacksFiles, "readdir": (*sshGrant).lacksFiles, "readlink": (*sshGrant).lacksFiles,
	"setstat": (*sshGrant).lacksFiles, "lsetstat": (*sshGrant).lacksFiles, "fsetstat": (*sshGrant).lacksFiles,
	"remove": (*sshGrant).lacksFiles, "mkdir": (*sshGrant).lacksFiles, "rmdir": (*sshGrant).lacksFiles,
	"rename": (*sshGrant).lacksRename, "posix-rename": (*sshGrant).lacksRename,
	"symlink": (*sshGrant).lacksFiles, "hardlink": (*sshGrant).lacksFiles, "copy-data": (*sshGrant).lacksFiles,
}

func init() {
	for operation, lacks := range sftpKinds {
		sshKinds["sftp "+operation] = lacks
	}
}

// outside says what of the action the grant does not cover; empty means all is covered.
func (g *sshGrant) outside(a *Action) string {
	if g == nil || a.Protocol != "ssh" || a.SSH == nil {
		return "the policy grants nothing for protocol " + a.Protocol
	}
	if !slices.Contains(g.Logins, a.SSH.Login) {
		return "the grant lacks login " + a.SSH.Login + " (it has " + strings.Join(g.Logins, ", ") + ")"
	}
	lacks, known := sshKinds[a.Kind]
	switch {
	case !known:
		return a.Kind + " is outside of every grant"
	case g.Unrestricted:
		return ""
	}
	if what := lacks(g, a); what != "" {
		return "the grant lacks " + what
	}
	return ""
}

// asksOnly is for operations that make no difference and open nothing: whatever they
// lead to is judged by itself.
func asksOnly(a *Action) bool {
	switch a.Kind {
	case "signal", "terminal", "sftp", "sftp realpath", "sftp expand-path", "sftp home-directory", "sftp limits":
		return true
	}
	return false
}

func unless(granted bool, what string) string {
	if granted {
		return ""
	}
	return what
}

func (g *sshGrant) lacksShell(*Action) string {
	return unless(g.Shell == v1alpha1.ShellRecorded || g.Shell == v1alpha1.ShellRestricted, "a shell")
}

func (g *sshGrant) lacksTerminal(*Action) string {
	return unless(g.Terminal || g.lacksShell(nil) == "", "a terminal")
}

func (g *sshGrant) lacksCommands(a *Action) string {
	s := a.SSH
	switch {
	case a.Opaque != "":
		return "what only a shell could tell (" + a.Opaque + "): write commands out"
	case len(s.Commands) == 0:
		return "an empty command line"
	// Many programs offer a shell to whoever has a terminal: pagers, editors.
	case s.Terminal && !g.Terminal:
		return "a terminal for commands"
	}
	for _, argv := range s.Commands {
		if !slices.ContainsFunc(g.commands, func(c command) bool { return c.matches(argv) }) {
			return "command " + strconv.Quote(shown(strings.Join(argv, " ")))
		}
	}
	return ""
}

// shown cuts what a refusal repeats.
func shown(text string) string {
	const enough = 200
	if len(text) > enough {
		return text[:enough] + "…"
	}
	return text
}

func (g *sshGrant) lacksVariable(a *Action) string {
	// How git agrees on its protocol; without it it would fall back to the first.
	if a.SSH.Name == "GIT_PROTOCOL" && len(g.repositories) > 0 && (a.SSH.Value == "version=1" || a.SSH.Value == "version=2") {
		return ""
	}
	return unless(grantsVariable(g.Environment, a.SSH.Name), "variable "+strconv.Quote(shown(a.SSH.Name)))
}

func (g *sshGrant) lacksSubsystem(a *Action) string {
	if a.SSH.Name == "sftp" {
		return g.lacksAnyFile(a)
	}
	return "subsystem " + strconv.Quote(shown(a.SSH.Name))
}

func (g *sshGrant) lacksAnyFile(*Action) string { return unless(len(g.files) > 0, "files") }

// lacksFiles asks for every file, by the access that it needs and the size announced.
func (g *sshGrant) lacksFiles(a *Action) string {
	if len(a.SSH.Files) == 0 {
		return a.Kind + " without a file"
	}
	var missing []string
	for i := range a.SSH.Files {
		f := &a.SSH.Files[i]
		if fits, large := g.file(f, a.SSH.Bytes); !fits {
			what := string(f.Access) + " on " + shown(f.Path)
			if large > 0 {
				what += fmt.Sprintf(" for %d bytes (it has %d)", a.SSH.Bytes, large)
			}
			missing = append(missing, what)
		}
	}
	slices.Sort(missing)
	return strings.Join(slices.Compact(missing), ", ")
}

// lacksRename asks for what a rename is, and for Read on what may be read where it goes:
// who may only remove a file does not get to read it by moving it.
func (g *sshGrant) lacksRename(a *Action) string {
	if what := g.lacksFiles(a); what != "" {
		return what
	}
	for i := range a.SSH.Files {
		from := FileUse{a.SSH.Files[i].Path, v1alpha1.FileRead}
		if a.SSH.Files[i].Access != v1alpha1.FileDelete {
			continue
		}
		if may, _ := g.file(&from, -1); may {
			continue
		}
		for j := range a.SSH.Files {
			if to := &a.SSH.Files[j]; to.Access == v1alpha1.FileWrite && g.readsIn(to.Path) {
				return string(v1alpha1.FileRead) + " on " + shown(from.Path) + ", which could be read as " + shown(to.Path)
			}
		}
	}
	return ""
}

// readsIn says whether a file, or anything in a tree, may be read.
func (g *sshGrant) readsIn(path string) bool {
	folder, tree := strings.CutSuffix(path, "/"+everything)
	if folder == "" {
		folder = "/"
	}
	return slices.ContainsFunc(g.files, func(x file) bool {
		return x.access[v1alpha1.FileRead] && (x.matches(path) || tree && (x.matches(folder) || x.leads(folder)))
	})
}

// file says whether a grant covers a file; large is the bound that alone refused it.
func (g *sshGrant) file(f *FileUse, bytes int64) (fits bool, large int64) {
	for i := range g.files {
		granted := &g.files[i]
		if !granted.access[f.Access] || !granted.matches(f.Path) {
			continue
		}
		if granted.maxBytes == 0 || bytes <= granted.maxBytes {
			return true, 0
		}
		large = max(large, granted.maxBytes)
	}
	return false, large
}

// lacksCountedFiles is for what moves files in a stream that nobody can look into: a
// bound of a file's size could not be kept.
func (g *sshGrant) lacksCountedFiles(a *Action) string {
	if what := g.lacksFiles(a); what != "" {
		return what
	}
	for i := range a.SSH.Files {
		f := &a.SSH.Files[i]
		if f.Access != v1alpha1.FileDelete && !slices.ContainsFunc(g.files, func(x file) bool {
			return x.maxBytes == 0 && x.access[f.Access] && x.matches(f.Path)
		}) {
			return string(f.Access) + " on " + shown(f.Path) + " without maxBytes, which nobody can see kept inside rsync: use sftp"
		}
	}
	return ""
}

// lacksTrace asks for any access on each path, or on something below it.
func (g *sshGrant) lacksTrace(a *Action) string {
	for i := range a.SSH.Files {
		p := a.SSH.Files[i].Path
		if !slices.ContainsFunc(g.files, func(x file) bool { return x.matches(p) || x.leads(p) }) {
			return string(v1alpha1.FileRead) + " on " + shown(p)
		}
	}
	return g.lacksAnyFile(a)
}

func (g *sshGrant) lacksRepository(a *Action) string {
	push := a.SSH.Push || a.Kind == "git-receive-pack"
	if slices.ContainsFunc(g.repositories, func(r repository) bool { return (r.push || !push) && r.matches(a.SSH.Repository) }) {
		return ""
	}
	if push {
		return "push to repository " + shown(a.SSH.Repository)
	}
	return "repository " + shown(a.SSH.Repository)
}

func lacksHost(granted []forward, list string, a *Action) string {
	if slices.ContainsFunc(granted, func(f forward) bool { return f.matches(a.SSH.Host, a.SSH.Port) }) {
		return ""
	}
	return fmt.Sprintf("%s port %d in %s", strconv.Quote(shown(a.SSH.Host)), a.SSH.Port, list)
}

func (f forward) matches(host string, port int32) bool {
	return (len(f.ports) == 0 || slices.Contains(f.ports, port)) && f.host.matches(strings.ToLower(host))
}

func (g *sshGrant) lacksSocket(a *Action) string {
	listen := a.Kind == "streamlocal-forward"
	if slices.ContainsFunc(g.sockets, func(s socket) bool { return (s.listen || !listen) && s.matches(a.SSH.Socket) }) {
		return ""
	}
	if listen {
		return "listening on socket " + shown(a.SSH.Socket)
	}
	return "socket " + shown(a.SSH.Socket)
}

// unseen says how an action would carry what the policy's detectors look for past them;
// empty means that it does not.
func (g *sshGrant) unseen(a *SSHAction, kind string) string {
	if !a.FromTarget || g.UnmaskedStreams {
		return ""
	}
	return "the policy's detectors cannot look into what " + kind + " brings from the target: use a command, or ask for access under a policy whose grant has unmaskedStreams"
}
