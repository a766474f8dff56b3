package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
)

func argv(words ...string) v1alpha1.CommandGrant { return v1alpha1.CommandGrant{Argv: words} }

func fileGrant(path string, access ...v1alpha1.FileAccess) v1alpha1.FileGrant {
	return v1alpha1.FileGrant{Path: path, Access: access}
}

// server grants some of everything on an SSH server.
func server(change ...func(*v1alpha1.SSHGrant)) v1alpha1.AccessPolicySpec {
	s := spec()
	g := &v1alpha1.SSHGrant{
		Logins:   []string{"deploy", "audit"},
		Commands: []v1alpha1.CommandGrant{argv("systemctl", "restart", "web*"), argv("tail", "/var/log/*"), argv("journalctl", "**")},
		Files: []v1alpha1.FileGrant{
			fileGrant("/var/log/**", "Read"), fileGrant("/srv/web/**", "Read", "Write"), fileGrant("/srv/web/cache/*", "Delete"),
			{Path: "/srv/small/*", Access: []v1alpha1.FileAccess{"Write"}, MaxBytes: 100},
		},
		Repositories: []v1alpha1.RepositoryGrant{{Path: "/srv/git/web.git", Push: true}, {Path: "/srv/git/*"}},
		Forwards:     []v1alpha1.ForwardGrant{{Host: "db.internal", Ports: []int32{5432}}, {Host: "*.cache.internal"}},
		Listeners:    []v1alpha1.ForwardGrant{{Host: "localhost", Ports: []int32{8080}}},
		Sockets:      []v1alpha1.SocketGrant{{Path: "/run/web.sock"}, {Path: "/run/debug/*", Listen: true}},
		Environment:  []string{"LC_*", "EDITOR", "L*"},
	}
	for _, c := range change {
		c(g)
	}
	s.Grant = v1alpha1.Grant{SSH: g}
	return s
}

// on is an action on the server, as deploy.
func on(kind string, change ...func(*policy.SSHAction)) policy.Action {
	s := &policy.SSHAction{Login: "deploy", Bytes: -1}
	for _, c := range change {
		c(s)
	}
	return policy.Action{Protocol: "ssh", Kind: kind, SSH: s}
}

func run(commands ...[]string) policy.Action {
	return on("exec", func(s *policy.SSHAction) { s.Commands = commands })
}

func touching(kind string, uses ...policy.FileUse) policy.Action {
	return on(kind, func(s *policy.SSHAction) { s.Files = uses })
}

func use(path string, access v1alpha1.FileAccess) policy.FileUse {
	return policy.FileUse{Path: path, Access: access}
}

// TestSSH3_EveryKindOfOperationMeetsTheGrant has each kind with what is allowed and what
// is refused, and why.
func TestSSH3_EveryKindOfOperationMeetsTheGrant(t *testing.T) {
	t.Parallel()
	words := func(w ...string) []string { return w }
	name := func(kind, name, value string) policy.Action {
		return on(kind, func(s *policy.SSHAction) { s.Name, s.Value = name, value })
	}
	host := func(kind, host string, port int32) policy.Action {
		return on(kind, func(s *policy.SSHAction) { s.Host, s.Port = host, port })
	}
	repository := func(kind, path string) policy.Action {
		return on(kind, func(s *policy.SSHAction) { s.Repository = path })
	}
	socket := func(kind, path string) policy.Action {
		return on(kind, func(s *policy.SSHAction) { s.Socket = path })
	}
	bytes := func(a policy.Action, n int64) policy.Action { a.SSH.Bytes = n; return a }
	as := func(a policy.Action, login string) policy.Action { a.SSH.Login = login; return a }
	tty := func(a policy.Action) policy.Action { a.SSH.Terminal = true; return a }
	opaque := func(a policy.Action) policy.Action { a.Opaque = "a redirection"; a.SSH.Commands = nil; return a }
	shell := func(mode v1alpha1.SSHShell) func(*v1alpha1.SSHGrant) {
		return func(g *v1alpha1.SSHGrant) { g.Shell = mode }
	}
	only := func(change func(*v1alpha1.SSHGrant)) func(*v1alpha1.SSHGrant) {
		return func(g *v1alpha1.SSHGrant) {
			*g = v1alpha1.SSHGrant{Logins: g.Logins}
			change(g)
		}
	}
	removals := func(g *v1alpha1.SSHGrant) {
		g.Files = append(g.Files, fileGrant("/var/spool/in/**", "Delete"), fileGrant("/var/spool/out/**", "Write"))
	}
	unrestricted := only(func(g *v1alpha1.SSHGrant) { g.Unrestricted = true })
	for title, test := range map[string]struct {
		grant  func(*v1alpha1.SSHGrant)
		action policy.Action
		// lacks is in the refusal; empty if it is allowed.
		lacks string
	}{
		"another login":            {nil, as(run(words("journalctl")), "root"), "login root (it has deploy, audit)"},
		"another login of all":     {unrestricted, as(run(words("id")), "root"), "login root"},
		"an unknown kind":          {nil, on("teleport"), "outside of every grant"},
		"an unknown kind of all":   {unrestricted, on("teleport"), "outside of every grant"},
		"an unknown sftp request":  {unrestricted, on("sftp format"), "outside of every grant"},
		"no facts about it":        {nil, policy.Action{Protocol: "ssh", Kind: "exec"}, "grants nothing"},
		"another protocol":         {nil, read("public.orders"), "grants nothing for protocol postgres"},
		"facts of another":         {nil, policy.Action{Protocol: "postgres", Kind: "exec", SSH: &policy.SSHAction{Login: "deploy"}}, "grants nothing"},
		"shell, denied":            {shell("Denied"), on("shell"), "a shell"},
		"shell, nothing said":      {nil, on("shell"), "a shell"},
		"shell, recorded":          {shell("Recorded"), on("shell"), ""},
		"shell, restricted":        {shell("Restricted"), on("shell"), ""},
		"terminal":                 {nil, on("terminal"), "a terminal"},
		"terminal of a shell":      {shell("Restricted"), on("terminal"), ""},
		"terminal of commands":     {func(g *v1alpha1.SSHGrant) { g.Terminal = true }, on("terminal"), ""},
		"signal":                   {nil, on("signal"), ""},
		"exec":                     {nil, run(words("systemctl", "restart", "web-blue")), ""},
		"exec of two":              {nil, run(words("systemctl", "restart", "web"), words("journalctl", "-u", "web")), ""},
		"exec of two, one granted": {nil, run(words("journalctl"), words("reboot")), `command "reboot"`},
		"exec with a word more":    {nil, run(words("systemctl", "restart", "web", "ssh")), "command"},
		"exec of nothing":          {nil, run(), "an empty command line"},
		"exec of no words":         {nil, run(words()), "command"},
		"exec of a shell's own":    {nil, opaque(run()), "what only a shell could tell (a redirection)"},
		"exec of it, of all":       {unrestricted, opaque(run()), ""},
		"exec climbing":            {nil, run(words("tail", "/var/log/../../etc/shadow")), "command"},
		"exec with an option":      {nil, run(words("tail", "-f")), "command"},
		"exec, terminal":           {nil, tty(run(words("journalctl"))), "a terminal for commands"},
		"exec, terminal granted":   {func(g *v1alpha1.SSHGrant) { g.Terminal = true }, tty(run(words("journalctl"))), ""},
		"a restricted shell's":     {shell("Restricted"), run(words("journalctl")), ""},
		"beside a restricted one":  {shell("Restricted"), tty(run(words("journalctl"))), "a terminal for commands"},
		"a recorded shell's":       {shell("Recorded"), tty(run(words("journalctl"))), "a terminal for commands"},

		"env":                    {nil, name("env", "LC_ALL", "C"), ""},
		"env of another name":    {nil, name("env", "TZ", "UTC"), `variable "TZ"`},
		"env that steers":        {nil, name("env", "LD_PRELOAD", "x"), `variable "LD_PRELOAD"`},
		"env that steers, named": {nil, name("env", "EDITOR", "vi"), ""},
		"env with = in its name": {nil, name("env", "LC_A=B", "x"), "variable"},
		"env for git":            {nil, name("env", "GIT_PROTOCOL", "version=2"), ""},
		"env for git, otherwise": {nil, name("env", "GIT_PROTOCOL", "x"), "variable"},
		"env for git, no git":    {only(func(g *v1alpha1.SSHGrant) { g.Commands = []v1alpha1.CommandGrant{argv("id")} }), name("env", "GIT_PROTOCOL", "version=2"), "variable"},

		"sftp":                       {nil, on("sftp"), ""},
		"sftp without files":         {only(func(g *v1alpha1.SSHGrant) { g.Commands = []v1alpha1.CommandGrant{argv("id")} }), on("sftp"), "files"},
		"subsystem sftp":             {nil, name("subsystem", "sftp", ""), ""},
		"another subsystem":          {nil, name("subsystem", "netconf", ""), `subsystem "netconf"`},
		"another subsystem, of all":  {unrestricted, name("subsystem", "netconf", ""), ""},
		"sftp open":                  {nil, touching("sftp open", use("/var/log/web/a.log", "Read")), ""},
		"sftp open to write":         {nil, touching("sftp open", use("/var/log/a", "Read"), use("/var/log/a", "Write")), "Write on /var/log/a"},
		"sftp open beside":           {nil, touching("sftp open", use("/var/logs", "Read")), "Read on /var/logs"},
		"sftp open, not canonical":   {nil, touching("sftp open", use("/var/log/../x", "Read")), "Read on /var/log/../x"},
		"sftp open, of nothing":      {nil, touching("sftp open"), "sftp open without a file"},
		"sftp open, small":           {nil, bytes(touching("sftp open", use("/srv/small/a", "Write")), 100), ""},
		"sftp open, large":           {nil, bytes(touching("sftp open", use("/srv/small/a", "Write")), 101), "for 101 bytes (it has 100)"},
		"sftp remove":                {nil, touching("sftp remove", use("/srv/web/cache/x", "Delete")), ""},
		"sftp remove, deeper":        {nil, touching("sftp remove", use("/srv/web/cache/x/y", "Delete")), "Delete on"},
		"sftp rename":                {nil, touching("sftp rename", use("/srv/web/cache/x", "Delete"), use("/srv/web/y", "Write")), ""},
		"sftp rename out":            {nil, touching("sftp rename", use("/srv/web/cache/x", "Delete"), use("/etc/y", "Write")), "Write on /etc/y"},
		"sftp rename to read it":     {removals, touching("sftp rename", use("/var/spool/in/x", "Delete"), use("/srv/web/y", "Write")), "Read on /var/spool/in/x, which could be read as /srv/web/y"},
		"sftp rename of a tree, too": {removals, touching("sftp rename", use("/var/spool/in/x/**", "Delete"), use("/srv/web/y/**", "Write")), "Read on /var/spool/in/x/**"},
		"sftp rename, both unread":   {removals, touching("sftp rename", use("/var/spool/in/x", "Delete"), use("/var/spool/out/x", "Write")), ""},
		"sftp mkdir":                 {nil, touching("sftp mkdir", use("/srv/web/new", "Write")), ""},
		"sftp mkdir elsewhere":       {nil, touching("sftp mkdir", use("/srv/new", "Write")), "Write on /srv/new"},
		"sftp opendir":               {nil, touching("sftp opendir", use("/var/log", "Read")), ""},
		"sftp opendir of a parent":   {nil, touching("sftp opendir", use("/var", "Read")), "Read on /var"},
		"sftp realpath of the start": {nil, touching("sftp realpath"), ""},
		"sftp realpath":              {nil, touching("sftp realpath", use("/srv/web/x", "Read")), ""},
		"sftp realpath elsewhere":    {nil, touching("sftp realpath", use("/etc/passwd", "Read")), "Read on /etc/passwd"},
		"sftp stat of a parent":      {nil, touching("sftp stat", use("/srv", "Read")), ""},
		"sftp stat of the root":      {nil, touching("sftp stat", use("/", "Read")), ""},
		"sftp stat of a written one": {nil, touching("sftp lstat", use("/srv/small/a", "Read")), ""},
		"sftp stat elsewhere":        {nil, touching("sftp stat", use("/etc", "Read")), "Read on /etc"},
		"sftp setstat":               {nil, touching("sftp setstat", use("/var/log/x", "Write")), "Write on /var/log/x"},
		"sftp of all":                {unrestricted, touching("sftp remove", use("/etc/passwd", "Delete")), ""},

		"scp upload":                 {nil, touching("scp upload", use("/srv/web/**", "Write")), ""},
		"scp upload of one":          {nil, touching("scp upload", use("/srv/small/a", "Write")), ""},
		"scp upload of a whole tree": {nil, touching("scp upload", use("/srv/small/**", "Write")), "Write on /srv/small/**"},
		"scp download":               {nil, touching("scp download", use("/etc/shadow", "Read")), "Read on /etc/shadow"},
		"rsync upload":               {nil, touching("rsync upload", use("/srv/web/site/**", "Write")), ""},
		"rsync upload --delete":      {nil, touching("rsync upload", use("/srv/web/**", "Write"), use("/srv/web/**", "Delete")), "Delete on /srv/web/**"},
		"rsync upload, with bounds":  {nil, touching("rsync upload", use("/srv/small/a", "Write")), "without maxBytes"},
		"rsync download":             {nil, touching("rsync download", use("/var/log/**", "Read")), ""},
		"rsync download of the root": {nil, touching("rsync download", use("/**", "Read")), "Read on /**"},

		"git fetch":            {nil, repository("git-upload-pack", "/srv/git/other.git"), ""},
		"git fetch elsewhere":  {nil, repository("git-upload-pack", "/home/x.git"), "repository /home/x.git"},
		"git archive":          {nil, repository("git-upload-archive", "/srv/git/web.git"), ""},
		"git push":             {nil, repository("git-receive-pack", "/srv/git/web.git"), ""},
		"git push, fetch only": {nil, repository("git-receive-pack", "/srv/git/other.git"), "push to repository /srv/git/other.git"},

		"forward":                   {nil, host("direct-tcpip", "db.internal", 5432), ""},
		"forward, letter case":      {nil, host("direct-tcpip", "DB.internal", 5432), ""},
		"forward, another port":     {nil, host("direct-tcpip", "db.internal", 22), `"db.internal" port 22 in forwards`},
		"forward, any port":         {nil, host("direct-tcpip", "a.cache.internal", 6379), ""},
		"forward to a listener's":   {nil, host("direct-tcpip", "localhost", 8080), "in forwards"},
		"listen":                    {nil, host("tcpip-forward", "localhost", 8080), ""},
		"listen everywhere":         {nil, host("tcpip-forward", "", 8080), `"" port 8080 in listeners`},
		"listen on any port":        {nil, host("tcpip-forward", "localhost", 0), "port 0 in listeners"},
		"connect to a socket":       {nil, socket("direct-streamlocal", "/run/web.sock"), ""},
		"connect to another socket": {nil, socket("direct-streamlocal", "/run/docker.sock"), "socket /run/docker.sock"},
		"listen on a socket":        {nil, socket("streamlocal-forward", "/run/debug/a"), ""},
		"listen, connect only":      {nil, socket("streamlocal-forward", "/run/web.sock"), "listening on socket /run/web.sock"},
		"agent":                     {nil, on("agent-forward"), "agentForwarding"},
		"agent, granted":            {func(g *v1alpha1.SSHGrant) { g.AgentForwarding = true }, on("agent-forward"), ""},
		"X11":                       {nil, on("x11-forward"), "x11Forwarding"},
		"X11, granted":              {func(g *v1alpha1.SSHGrant) { g.X11Forwarding = true }, on("x11-forward"), ""},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			s := server()
			if test.grant != nil {
				s = server(test.grant)
			}
			got := mustCompile(t, s).Decide(test.action, context)
			if test.lacks == "" {
				if got.Effect != "Allow" {
					t.Errorf("refused: %s", got.Message)
				}
				return
			}
			if got.Effect != "Deny" || got.Rule != "grant" || !strings.Contains(got.Message, test.lacks) {
				t.Errorf("%s by %s: %s; want a refusal that says %q", got.Effect, got.Rule, got.Message, test.lacks)
			}
		})
	}
}

func TestDetectorsRefuseWhatTheyCannotLookInto(t *testing.T) {
	t.Parallel()
	s := server()
	s.Masking = &v1alpha1.MaskingPolicy{Detectors: []v1alpha1.DetectorMask{{Name: "cards", Detect: "PaymentCard"}}}
	download := touching("sftp open", use("/var/log/a", "Read"))
	upload := touching("sftp open", use("/srv/web/a", "Write"))
	download.SSH.FromTarget = true
	p := mustCompile(t, s)
	if got := p.Decide(download, context); got.Effect != "Deny" || got.Rule != "masking" || !strings.Contains(got.Message, "unmaskedStreams") {
		t.Errorf("download: %+v", got)
	}
	if got := p.Decide(upload, context); got.Effect != "Allow" {
		t.Errorf("upload: %+v", got)
	}
	s.Grant.SSH.UnmaskedStreams = true
	if got := mustCompile(t, s).Decide(download, context); got.Effect != "Allow" {
		t.Errorf("download with unmaskedStreams: %+v", got)
	}
}

func TestRulesReadWhatIsDoneOnAServer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		when   string
		action policy.Action
		holds  bool
	}{
		"argv":               {`action.argv[0] == "systemctl" && "restart" in action.argv`, run([]string{"systemctl", "restart", "web"}), true},
		"argv of two":        {`size(action.argv) == 0`, run([]string{"journalctl"}, []string{"journalctl"}), true},
		"commands":           {`action.commands.exists(c, c.name == "systemctl" && c.argv[1] == "restart")`, run([]string{"journalctl"}, []string{"systemctl", "restart", "web"}), true},
		"files":              {`action.files.exists(f, f.access == "Delete" && f.path.startsWith("/srv/web/cache/"))`, touching("sftp remove", use("/srv/web/cache/x", "Delete")), true},
		"paths":              {`"/srv/web/cache/x" in action.paths`, touching("sftp remove", use("/srv/web/cache/x", "Delete")), true},
		"host and port":      {`action.host == "db.internal" && action.port == 5432`, on("direct-tcpip", func(s *policy.SSHAction) { s.Host, s.Port = "db.internal", 5432 }), true},
		"login":              {`action.login == session.user || action.login == "deploy"`, run([]string{"journalctl"}), true},
		"bytes, nobody said": {`action.bytes < 0`, touching("sftp open", use("/srv/web/a", "Write")), true},
		"repository":         {`action.push && action.repository.endsWith(".git")`, on("git-receive-pack", func(s *policy.SSHAction) { s.Repository, s.Push = "/srv/git/web.git", true }), true},
		"name and value":     {`action.name == "EDITOR" && action.value == "vi"`, on("env", func(s *policy.SSHAction) { s.Name, s.Value = "EDITOR", "vi" }), true},
		"another protocol's": {`action.hasWhere || size(action.relations) > 0`, run([]string{"journalctl"}), false},
		"a very long line, too": {`action.command.contains("x")`, on("exec", func(s *policy.SSHAction) {
			s.Command, s.Commands = strings.Repeat("x", 10_000), [][]string{{"journalctl"}}
		}), true},
		"argv[0] of two commands": {`action.argv[0] == "journalctl"`, run([]string{"journalctl"}, []string{"journalctl"}), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := server()
			s.Rules = []v1alpha1.Rule{rule("ask", "Hold", test.when)}
			got := mustCompile(t, s).Decide(test.action, context)
			// What cannot be evaluated denies.
			if holds := got.Effect != "Allow"; holds != test.holds || got.Rule == "grant" && test.holds {
				t.Errorf("%s by %s: %s", got.Effect, got.Rule, got.Message)
			}
		})
	}
}

func TestMatchCommandAndPath(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, words []string
		want           bool
	}{
		{[]string{"ls"}, []string{"ls"}, true}, {[]string{"ls"}, []string{"ls", "-l"}, false}, {[]string{"ls", "**"}, []string{"ls"}, true},
		{[]string{"ls", "**"}, []string{"ls", "-l", "/.."}, true}, {[]string{"**"}, nil, false}, {[]string{"**"}, []string{"x"}, true},
		{[]string{"echo", `\*`}, []string{"echo", "*"}, true}, {[]string{"echo", `\*`}, []string{"echo", "x"}, false},
		{[]string{"a*b*c"}, []string{"aXbYbc"}, true}, {[]string{"a*b*c"}, []string{"acb"}, false},
		{[]string{"rm", "*"}, []string{"rm", "-rf"}, false}, {[]string{"rm", "-*"}, []string{"rm", "-rf"}, true}, {[]string{"rm", "*"}, []string{"rm", ""}, true},
		{[]string{"cat", "--file=/a/*"}, []string{"cat", "--file=/a/../b"}, false}, {[]string{"cat", "/a/*"}, []string{"cat", "/a/..b"}, true},
		{[]string{"cat", "/a/../b"}, []string{"cat", "/a/../b"}, true},
	} {
		if got := policy.MatchCommand([]v1alpha1.CommandGrant{{Argv: test.pattern}}, test.words); got != test.want {
			t.Errorf("MatchCommand(%q, %q) = %v", test.pattern, test.words, got)
		}
	}
	for _, test := range []struct {
		pattern, path string
		want          bool
	}{
		{"/a/b", "/a/b", true}, {"/a/b", "/a/b/", false}, {"/a/*", "/a/b", true}, {"/a/*", "/a", false}, {"/a/*", "/a/b/c", false},
		{"/a/**", "/a", true}, {"/a/**", "/a/b/c", true}, {"/a/**", "/ab", false}, {"/**", "/", true}, {"/", "/", true}, {"/", "/a", false},
		{"/a/*/c", "/a/b/c", true}, {"/a/x*", "/a/xy", true}, {"/a/x*", "/a/y", false}, {"/a/**", "/a/../b", false}, {"/a/**", "a/b", false},
		{"/a/*", "/a/**", false}, {"/a/**", "/a/**", true}, {"/a/**", "/a/b/**", true}, {"/a/b/**", "/a/**", false}, {"/a/b", "/a/b/**", false},
		{"/a", "/a\x00", false}, {"", "/", false}, {"a", "a", false}, {"/a/**", "", false},
	} {
		if got := policy.MatchPath(test.pattern, test.path); got != test.want {
			t.Errorf("MatchPath(%q, %q) = %v", test.pattern, test.path, got)
		}
	}
}

func TestAnSSHGrantThatMeansNothingDoesNotCompile(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*v1alpha1.AccessPolicySpec){
		"grant: names two protocols":                                     func(s *v1alpha1.AccessPolicySpec) { s.Grant.Postgres = spec().Grant.Postgres },
		"grant.ssh.unrestricted: grants everything, and names something": func(s *v1alpha1.AccessPolicySpec) { s.Grant.SSH.Unrestricted = true },
		"commands[0].argv: `**` stands for any further words":            func(s *v1alpha1.AccessPolicySpec) { s.Grant.SSH.Commands[0] = argv("ls", "**", "x") },
		"commands[0].argv: a word with `*` takes no `..`":                func(s *v1alpha1.AccessPolicySpec) { s.Grant.SSH.Commands[0] = argv("ls", "/a/../*") },
		"commands[0].argv: names no command":                             func(s *v1alpha1.AccessPolicySpec) { s.Grant.SSH.Commands[0] = argv() },
		"files[/a/../b].path: is no canonical path":                      func(s *v1alpha1.AccessPolicySpec) { s.Grant.SSH.Files[0].Path = "/a/../b" },
		"files[].path: is no canonical path":                             func(s *v1alpha1.AccessPolicySpec) { s.Grant.SSH.Files[0].Path = "" },
		"files[/a/**/b].path: `**` stands for everything below":          func(s *v1alpha1.AccessPolicySpec) { s.Grant.SSH.Files[0].Path = "/a/**/b" },
		"files[/a/x**].path: `**` stands for everything below":           func(s *v1alpha1.AccessPolicySpec) { s.Grant.SSH.Files[0].Path = "/a/x**" },
		"environment[LD_*]: variables of this family":                    func(s *v1alpha1.AccessPolicySpec) { s.Grant.SSH.Environment = []string{"LD_*"} },
		"repositories[/a/].path: is no canonical path":                   func(s *v1alpha1.AccessPolicySpec) { s.Grant.SSH.Repositories[0].Path = "/a/" },
		"sockets[//a].path: is no canonical path":                        func(s *v1alpha1.AccessPolicySpec) { s.Grant.SSH.Sockets[0].Path = "//a" },
		"shell: Restricted runs what commands names": func(s *v1alpha1.AccessPolicySpec) {
			s.Grant.SSH.Shell, s.Grant.SSH.Commands = "Restricted", nil
		},
		"masking.columns: columns are PostgreSQL's": func(s *v1alpha1.AccessPolicySpec) {
			s.Masking = &v1alpha1.MaskingPolicy{Columns: []v1alpha1.ColumnMask{{Relation: "a", Column: "b"}}}
		},
		"rules[gate].effect: an SSH target has no transactions": func(s *v1alpha1.AccessPolicySpec) {
			s.Rules = []v1alpha1.Rule{rule("gate", "HoldCommit", "true")}
		},
		`grant.ssh.shell: "Open" is not enforced`: func(s *v1alpha1.AccessPolicySpec) { s.Grant.SSH.Shell = "Open" },
	} {
		s := server()
		change(&s)
		if _, err := policy.Compile("p", s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}

func TestNarrowSSH(t *testing.T) {
	t.Parallel()
	whole := server(func(g *v1alpha1.SSHGrant) { g.MaxUploadBytes = 1000 }).Grant
	everything := v1alpha1.Grant{SSH: &v1alpha1.SSHGrant{Logins: []string{"deploy"}, Unrestricted: true}}
	for name, test := range map[string]struct {
		policy  v1alpha1.Grant
		request v1alpha1.SSHGrant
		beyond  string
	}{
		"a login alone":       {whole, v1alpha1.SSHGrant{}, ""},
		"narrower patterns":   {whole, v1alpha1.SSHGrant{Commands: []v1alpha1.CommandGrant{argv("systemctl", "restart", "web-b*"), argv("journalctl", "-u", "*")}, Files: []v1alpha1.FileGrant{fileGrant("/srv/web/site/**", "Write")}}, ""},
		"the same":            {whole, *whole.SSH, ""},
		"another login":       {whole, v1alpha1.SSHGrant{Logins: []string{"root"}}, "login root"},
		"unrestricted":        {whole, v1alpha1.SSHGrant{Unrestricted: true}, "unrestricted"},
		"a shell":             {whole, v1alpha1.SSHGrant{Shell: "Recorded"}, "shell Recorded"},
		"a wider command":     {whole, v1alpha1.SSHGrant{Commands: []v1alpha1.CommandGrant{argv("systemctl", "restart", "*")}}, "command systemctl restart *"},
		"an option":           {whole, v1alpha1.SSHGrant{Commands: []v1alpha1.CommandGrant{argv("tail", "-f")}}, "command tail -f"},
		"climbing":            {whole, v1alpha1.SSHGrant{Commands: []v1alpha1.CommandGrant{argv("tail", "/var/log/../x")}}, "command tail /var/log/../x"},
		"more access":         {whole, v1alpha1.SSHGrant{Files: []v1alpha1.FileGrant{fileGrant("/var/log/a", "Read", "Write")}}, "files /var/log/a"},
		"a whole tree":        {whole, v1alpha1.SSHGrant{Files: []v1alpha1.FileGrant{fileGrant("/srv/web/cache/**", "Delete")}}, "files /srv/web/cache/**"},
		"larger files":        {whole, v1alpha1.SSHGrant{Files: []v1alpha1.FileGrant{fileGrant("/srv/small/a", "Write")}}, "files /srv/small/a"},
		"a push":              {whole, v1alpha1.SSHGrant{Repositories: []v1alpha1.RepositoryGrant{{Path: "/srv/git/x", Push: true}}}, "repository /srv/git/x"},
		"any port":            {whole, v1alpha1.SSHGrant{Forwards: []v1alpha1.ForwardGrant{{Host: "db.internal"}}}, "forward db.internal"},
		"a socket":            {whole, v1alpha1.SSHGrant{Sockets: []v1alpha1.SocketGrant{{Path: "/run/web.sock", Listen: true}}}, "socket /run/web.sock"},
		"a variable":          {whole, v1alpha1.SSHGrant{Environment: []string{"LC_ALL", "LD_PRELOAD"}}, "environment LD_PRELOAD"},
		"the agent":           {whole, v1alpha1.SSHGrant{AgentForwarding: true}, "agentForwarding"},
		"less than all":       {everything, v1alpha1.SSHGrant{Shell: "Recorded"}, ""},
		"all, and unmasked":   {everything, v1alpha1.SSHGrant{Unrestricted: true, UnmaskedStreams: true}, "unmaskedStreams"},
		"of another protocol": {spec().Grant, v1alpha1.SSHGrant{}, "ssh"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := test.request
			if request.Logins == nil {
				request.Logins = []string{"deploy"}
			}
			got, err := policy.Narrow(test.policy, &v1alpha1.Grant{SSH: &request})
			if test.beyond != "" {
				if want := "the request asks for more than its policy grants: " + test.beyond + ": name less, or another policy"; err == nil || err.Error() != want {
					t.Errorf("error %v, want %s", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := request.DeepCopy()
			want.MaxUploadBytes = test.policy.SSH.MaxUploadBytes
			if diff := cmp.Diff(want, got.SSH); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	meaningless := v1alpha1.SSHGrant{Logins: []string{"deploy"}, Files: []v1alpha1.FileGrant{fileGrant("/srv/web/../../etc/**", "Read")}}
	if _, err := policy.Narrow(whole, &v1alpha1.Grant{SSH: &meaningless}); err == nil {
		t.Error("a path that climbs narrows")
	}
}
