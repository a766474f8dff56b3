package review

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

func TestAGrantOnAnSSHServerIsSaidALineForEachThing(t *testing.T) {
	t.Parallel()
	got := Grant(v1alpha1.Grant{SSH: &v1alpha1.SSHGrant{
		Logins: []string{"deploy", "audit"}, Shell: v1alpha1.ShellRecorded, Terminal: true,
		Commands: []v1alpha1.CommandGrant{{Argv: []string{"systemctl", "restart", "web"}}, {Argv: []string{"echo", "a b", ""}}},
		Files: []v1alpha1.FileGrant{
			{Path: "/srv/**", Access: []v1alpha1.FileAccess{v1alpha1.FileRead, v1alpha1.FileWrite}},
			{Path: "/tmp/x", Access: []v1alpha1.FileAccess{v1alpha1.FileDelete}, MaxBytes: 10 << 20},
		},
		Repositories: []v1alpha1.RepositoryGrant{{Path: "/a.git"}, {Path: "/b.git", Push: true}},
		Forwards:     []v1alpha1.ForwardGrant{{Host: "db", Ports: []int32{5432, 5433}}, {Host: "*.cache"}},
		Listeners:    []v1alpha1.ForwardGrant{{Host: "localhost", Ports: []int32{8080}}},
		Sockets:      []v1alpha1.SocketGrant{{Path: "/run/a"}, {Path: "/run/b", Listen: true}},
		Environment:  []string{"LC_*", "TZ"}, AgentForwarding: true, X11Forwarding: true, UnmaskedStreams: true,
		MaxUploadBytes: 1 << 30, MaxDownloadBytes: 1000,
	}})
	want := []string{
		"log in as deploy, audit",
		"a shell of the account, recorded as it shows: what is typed in it is not judged",
		"run systemctl restart web",
		`run echo "a b" ""`,
		"a terminal for commands",
		"read, write /srv/**",
		"delete /tmp/x up to 10 MiB a file",
		"fetch from repository /a.git",
		"fetch from and push to repository /b.git",
		"connect through it to db port 5432, 5433",
		"connect through it to *.cache, any port",
		"make it listen on localhost port 8080 for the client",
		"connect to socket /run/a",
		"connect to and listen on socket /run/b",
		"USE the client's ssh-agent from the server",
		"USE the client's display from the server",
		"set variable LC_*, TZ",
		"upload at most 1 GiB a session",
		"download at most 1000 bytes a session",
		"files, repositories and forwarded connections UNMASKED",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	everything := Grant(v1alpha1.Grant{SSH: &v1alpha1.SSHGrant{Logins: []string{"root"}, Unrestricted: true}})
	if diff := cmp.Diff([]string{"log in as root", "EVERYTHING that the account may do: a shell, commands, files, forwarding"}, everything); diff != "" {
		t.Errorf("unrestricted (-want +got):\n%s", diff)
	}
}
