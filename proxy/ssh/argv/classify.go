package argv

import "strings"

// Kinds of programs, in the words of the policy.
const (
	KindExec         = "exec"
	KindSFTP         = "sftp"
	KindSCPUpload    = "scp upload"
	KindSCPDownload  = "scp download"
	KindSyncUpload   = "rsync upload"
	KindSyncDownload = "rsync download"
	KindGitUpload    = "git-upload-pack"
	KindGitReceive   = "git-receive-pack"
	KindGitArchive   = "git-upload-archive"
)

// Program is what a command line does, where it is the far end of a program that moves
// files; else its Kind is exec. Uploads are to the server.
type Program struct {
	Kind string
	// Paths are the files and folders that it touches, or the repository, as the login
	// would name them: relative ones and ~/… are the login's home's. Where the program
	// takes ~ literally the path begins with ./~.
	Paths []string
	// Push says that a repository is written to.
	Push bool
	// Recursive says that everything below the paths is touched as well.
	Recursive bool
	// Deletes says that files may be removed that are not replaced.
	Deletes bool
	// Anywhere is why the program may touch files elsewhere: then Paths has / and
	// Recursive holds, so only a grant of everything covers it.
	Anywhere string
	// Unknown is why it cannot be judged; then it must not run.
	Unknown string
}

// Classify says what a line does. Lines of several commands, and those that are opaque,
// are exec: their words, or their opacity, are what is judged.
func Classify(line Line) Program {
	exec := Program{Kind: KindExec}
	if len(line.only) == 0 || line.only[0].home {
		return exec
	}
	words := line.only[1:]
	switch program := installed(line.only[0].text); {
	case program == "scp":
		return scp(words)
	case program == "rsync" && len(words) > 0 && words[0].text == "--server":
		return rsync(words[1:])
	case program == KindGitUpload, program == KindGitReceive, program == KindGitArchive:
		return git(program, words)
	case program == "git" && len(words) > 0 && gitCommands[words[0].text]:
		return git("git-"+words[0].text, words[1:])
	case sftpServers[program] || sftpServers[line.only[0].text]:
		p := Program{Kind: KindSFTP}
		if len(words) > 0 {
			p.Unknown = "options of sftp-server are not understood: ask for the subsystem sftp"
		}
		return p
	}
	return exec
}

// installed is the program's name where it is the system's own, without its folder: one
// of another folder may be anything.
func installed(program string) string {
	for _, folder := range []string{"/usr/bin/", "/bin/"} {
		if name, ok := strings.CutPrefix(program, folder); ok && !strings.Contains(name, "/") {
			return name
		}
	}
	if strings.Contains(program, "/") {
		return ""
	}
	return program
}

// sftpServers are where systems keep OpenSSH's.
var sftpServers = map[string]bool{
	"sftp-server": true, "internal-sftp": true,
	"/usr/lib/openssh/sftp-server": true, "/usr/libexec/openssh/sftp-server": true,
	"/usr/lib/ssh/sftp-server": true, "/usr/libexec/sftp-server": true, "/usr/lib/sftp-server": true,
}

// path is a word as the path that the program opens: one that the shell did not expand
// begins with ~ itself.
func path(w word) string {
	if !w.home && strings.HasPrefix(w.text, "~") {
		return "./" + w.text
	}
	return w.text
}
