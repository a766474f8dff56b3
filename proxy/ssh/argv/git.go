package argv

import "strings"

var gitCommands = map[string]bool{"upload-pack": true, "receive-pack": true, "upload-archive": true}

// git judges the far end of fetch, push and archive: the repository is the only word
// that clients send. git expands a leading ~ itself, quoted or not.
func git(kind string, words []word) Program {
	p := Program{Kind: kind, Push: kind == KindGitReceive}
	switch {
	case len(words) > 0 && strings.HasPrefix(words[0].text, "-"):
		p.Unknown = kind + "'s option " + words[0].text + " is not one that clients send"
	case len(words) != 1 || words[0].text == "":
		p.Unknown = kind + " needs one repository"
	case strings.HasPrefix(words[0].text, "~") && words[0].text != "~" && !strings.HasPrefix(words[0].text, "~/"):
		p.Unknown = "the home of another account: write the repository's path"
	default:
		p.Paths = []string{words[0].text}
	}
	return p
}
