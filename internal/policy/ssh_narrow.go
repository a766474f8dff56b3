package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

func narrowSSH(policy v1alpha1.Grant, request *v1alpha1.SSHGrant) (v1alpha1.Grant, error) {
	beyond := []string{"ssh"}
	if policy.SSH != nil {
		beyond = exceedsSSH(policy.SSH, request)
	}
	if len(beyond) > 0 {
		return v1alpha1.Grant{}, fmt.Errorf("the request asks for more than its policy grants: %s: name less, or another policy", strings.Join(beyond, ", "))
	}
	if problems := checkSSH(v1alpha1.AccessPolicySpec{Grant: v1alpha1.Grant{SSH: request}}); len(problems) > 0 {
		return v1alpha1.Grant{}, fmt.Errorf("the request's grant means nothing: %w", problems)
	}
	return v1alpha1.Grant{SSH: narrowedSSH(policy.SSH, request)}, nil
}

// exceedsSSH lists what the request names and the policy does not.
func exceedsSSH(policy, request *v1alpha1.SSHGrant) (beyond []string) {
	for _, login := range request.Logins {
		if !slices.Contains(policy.Logins, login) {
			beyond = append(beyond, "login "+login)
		}
	}
	if policy.Unrestricted {
		// Nothing but its logins and its masks bounds it.
		if request.UnmaskedStreams && !policy.UnmaskedStreams {
			beyond = append(beyond, "unmaskedStreams")
		}
		return beyond
	}
	if request.Unrestricted {
		beyond = append(beyond, "unrestricted")
	}
	if request.Shell != "" && request.Shell != v1alpha1.ShellDenied && request.Shell != policy.Shell {
		beyond = append(beyond, "shell "+string(request.Shell))
	}
	for _, flag := range []struct {
		name             string
		asked, permitted bool
	}{
		{"terminal", request.Terminal, policy.Terminal}, {"agentForwarding", request.AgentForwarding, policy.AgentForwarding},
		{"x11Forwarding", request.X11Forwarding, policy.X11Forwarding}, {"unmaskedStreams", request.UnmaskedStreams, policy.UnmaskedStreams},
	} {
		if flag.asked && !flag.permitted {
			beyond = append(beyond, flag.name)
		}
	}
	beyond = append(beyond, missing("command", request.Commands, func(c v1alpha1.CommandGrant) (string, bool) {
		return strings.Join(c.Argv, " "), slices.ContainsFunc(policy.Commands, func(p v1alpha1.CommandGrant) bool { return newCommand(p).covers(newCommand(c)) })
	})...)
	beyond = append(beyond, missing("files", request.Files, func(f v1alpha1.FileGrant) (string, bool) { return f.Path, coveredFile(policy.Files, f) })...)
	beyond = append(beyond, missing("repository", request.Repositories, func(r v1alpha1.RepositoryGrant) (string, bool) {
		return r.Path, slices.ContainsFunc(policy.Repositories, func(p v1alpha1.RepositoryGrant) bool {
			return newPath(p.Path).covers(newPath(r.Path)) && (p.Push || !r.Push)
		})
	})...)
	beyond = append(beyond, missing("forward", request.Forwards, coveredForward(policy.Forwards))...)
	beyond = append(beyond, missing("listener", request.Listeners, coveredForward(policy.Listeners))...)
	beyond = append(beyond, missing("socket", request.Sockets, func(s v1alpha1.SocketGrant) (string, bool) {
		return s.Path, slices.ContainsFunc(policy.Sockets, func(p v1alpha1.SocketGrant) bool {
			return newPath(p.Path).covers(newPath(s.Path)) && (p.Listen || !s.Listen)
		})
	})...)
	return append(beyond, missing("environment", request.Environment, func(name string) (string, bool) {
		return name, slices.Contains(policy.Environment, name) || !strings.HasSuffix(name, "*") && grantsVariable(policy.Environment, name)
	})...)
}

func missing[E any](what string, asked []E, covered func(E) (string, bool)) (beyond []string) {
	for _, e := range asked {
		if name, ok := covered(e); !ok {
			beyond = append(beyond, what+" "+name)
		}
	}
	return beyond
}

func coveredFile(policy []v1alpha1.FileGrant, asked v1alpha1.FileGrant) bool {
	return slices.ContainsFunc(policy, func(p v1alpha1.FileGrant) bool {
		return newPath(p.Path).covers(newPath(asked.Path)) &&
			!slices.ContainsFunc(asked.Access, func(a v1alpha1.FileAccess) bool { return !slices.Contains(p.Access, a) }) &&
			(p.MaxBytes == 0 || asked.MaxBytes > 0 && asked.MaxBytes <= p.MaxBytes)
	})
}

func coveredForward(policy []v1alpha1.ForwardGrant) func(v1alpha1.ForwardGrant) (string, bool) {
	return func(asked v1alpha1.ForwardGrant) (string, bool) {
		return asked.Host, slices.ContainsFunc(policy, func(p v1alpha1.ForwardGrant) bool {
			host := newGlob(strings.ToLower(p.Host), false).covers(newGlob(strings.ToLower(asked.Host), false))
			some := len(asked.Ports) > 0 && !slices.ContainsFunc(asked.Ports, func(port int32) bool { return !slices.Contains(p.Ports, port) })
			return host && (len(p.Ports) == 0 || some)
		})
	}
}

// narrowedSSH is the request's grant with the policy's bounds where it names none.
func narrowedSSH(policy, request *v1alpha1.SSHGrant) *v1alpha1.SSHGrant {
	narrowed := request.DeepCopy()
	narrowed.MaxUploadBytes = least(policy.MaxUploadBytes, request.MaxUploadBytes)
	narrowed.MaxDownloadBytes = least(policy.MaxDownloadBytes, request.MaxDownloadBytes)
	return narrowed
}

// least is the smaller bound; 0 is none.
func least(a, b int64) int64 {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
