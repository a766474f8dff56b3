package policy

import (
	"fmt"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// checkSSH finds what an SSH grant cannot mean.
func checkSSH(spec v1alpha1.AccessPolicySpec) Errors {
	g := spec.Grant.SSH
	var problems Errors
	add := func(message string, field string, args ...any) {
		problems = append(problems, &Error{Field: "grant.ssh." + fmt.Sprintf(field, args...), Message: message})
	}
	if g.Unrestricted && namesSSH(g) {
		add("grants everything, and names something: name nothing, or leave unrestricted out", "unrestricted")
	}
	if g.Shell == v1alpha1.ShellRestricted && len(g.Commands) == 0 {
		add("Restricted runs what commands names, and that is nothing: name some", "shell")
	}
	for i, c := range g.Commands {
		if wrong := checkCommand(c); wrong != "" {
			add(wrong, "commands[%d].argv", i)
		}
	}
	path := func(field string, pattern string) {
		if wrong := checkPath(pattern); wrong != "" {
			add(wrong, "%s[%s].path", field, pattern)
		}
	}
	for _, f := range g.Files {
		path("files", f.Path)
	}
	for _, name := range g.Environment {
		if wrong := checkVariable(name); wrong != "" {
			add(wrong, "environment[%s]", name)
		}
	}
	for _, r := range g.Repositories {
		path("repositories", r.Path)
	}
	for _, s := range g.Sockets {
		path("sockets", s.Path)
	}
	if spec.Masking != nil && len(spec.Masking.Columns) > 0 {
		problems = append(problems, &Error{Field: "masking.columns", Message: "columns are PostgreSQL's: use detectors for an SSH target"})
	}
	for _, r := range spec.Rules {
		if r.Effect == v1alpha1.EffectHoldCommit {
			problems = append(problems, &Error{Field: "rules[" + r.Name + "].effect", Message: "an SSH target has no transactions: use Hold"})
		}
	}
	return problems
}

// namesSSH says whether a grant names more than its logins.
func namesSSH(g *v1alpha1.SSHGrant) bool {
	return g.Shell != "" || g.Terminal || g.AgentForwarding || g.X11Forwarding ||
		len(g.Commands)+len(g.Files)+len(g.Repositories)+len(g.Forwards)+len(g.Listeners)+len(g.Sockets)+len(g.Environment) > 0
}

func supportedSSH(g *v1alpha1.SSHGrant) error {
	switch g.Shell {
	case "", v1alpha1.ShellDenied, v1alpha1.ShellRecorded, v1alpha1.ShellRestricted:
	default:
		return &UnsupportedError{Field: "grant.ssh.shell", Value: fmt.Sprintf("%q", g.Shell)}
	}
	for _, f := range g.Files {
		for _, a := range f.Access {
			switch a {
			case v1alpha1.FileRead, v1alpha1.FileWrite, v1alpha1.FileDelete:
			default:
				return &UnsupportedError{Field: "grant.ssh.files[" + f.Path + "].access", Value: fmt.Sprintf("%q", a)}
			}
		}
	}
	return nil
}
