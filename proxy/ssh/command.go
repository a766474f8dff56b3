package ssh

import (
	"path"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/ssh/argv"
)

// readCommand says what a command line does: by its words, and where it is the far end
// of a program that moves files, by the files. Nothing is looked for in its text.
func (c *connection) readCommand(text string, terminal bool) policy.Action {
	parsed := argv.Parse(text)
	program := argv.Classify(parsed)
	action := policy.Action{Kind: program.Kind, Unknown: program.Unknown, SSH: &policy.SSHAction{
		Command: text, Commands: parsed.Commands, Terminal: terminal, Bytes: -1,
	}}
	switch program.Kind {
	case argv.KindExec:
		action.Opaque = parsed.Opaque
		return action
	case argv.KindSFTP:
		action.SSH.Name = kindSFTP
		return action
	}
	action.SSH.FromTarget = program.Kind != argv.KindSCPUpload && program.Kind != argv.KindSyncUpload && !program.Push
	if action.Unknown != "" {
		return action
	}
	var err error
	switch program.Kind {
	case argv.KindGitUpload, argv.KindGitReceive, argv.KindGitArchive:
		action.SSH.Push = program.Push
		action.SSH.Repository, err = c.repository(program.Paths[0])
	default:
		var paths []string
		paths, err = c.resolve(&program)
		action.SSH.Files = fileUses(program, paths)
	}
	if err != nil {
		action.Unknown = err.Error()
	}
	return action
}

// fileUses is what a program does with its paths.
func fileUses(program argv.Program, paths []string) (uses []policy.FileUse) {
	access := v1alpha1.FileRead
	if program.Kind == argv.KindSCPUpload || program.Kind == argv.KindSyncUpload {
		access = v1alpha1.FileWrite
	}
	for _, p := range paths {
		if program.Recursive {
			p = path.Join(p, "**")
		}
		uses = append(uses, policy.FileUse{Path: p, Access: access})
		if program.Deletes {
			uses = append(uses, policy.FileUse{Path: p, Access: v1alpha1.FileDelete})
		}
	}
	return uses
}
