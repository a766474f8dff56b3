package ssh

import (
	"strings"

	"github.com/sallyport/sallyport/internal/policy"
)

// readCommand says what a command line does.
func (s *sessionChannel) readCommand(line string) policy.Action {
	action := policy.Action{Kind: "exec", SSH: &policy.SSHAction{Command: line, Terminal: s.terminal != nil}}
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+,- "
	if strings.Trim(line, plain) != "" || strings.TrimSpace(line) == "" {
		action.Opaque = "it holds what only a shell can tell"
		return action
	}
	action.SSH.Commands = [][]string{strings.Fields(line)}
	return action
}
