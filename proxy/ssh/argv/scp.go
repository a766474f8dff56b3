package argv

import (
	"slices"
	"strings"
)

// scp judges the far end of OpenSSH's legacy protocol: scp -t PATH takes files, scp -f
// PATH… gives them. Without either it is a client on the server: exec.
func scp(words []word) Program {
	var bundles strings.Builder
	rest := words
	dashes := false
	for len(rest) > 0 && strings.HasPrefix(rest[0].text, "-") && rest[0].text != "-" {
		option := rest[0].text
		rest = rest[1:]
		if option == "--" {
			dashes = true
			break
		}
		bundles.WriteString(option[1:])
	}
	flags := bundles.String()
	to, from := strings.Contains(flags, "t"), strings.Contains(flags, "f")
	if !to && !from {
		return Program{Kind: KindExec}
	}
	p := Program{Kind: KindSCPDownload, Recursive: strings.Contains(flags, "r")}
	if to {
		p.Kind = KindSCPUpload
	}
	// recursive, preserve, directory, verbose, quiet, protocol versions.
	if i := strings.IndexFunc(flags, func(c rune) bool { return !strings.ContainsRune("tfrpdvq12", c) }); i >= 0 {
		p.Unknown = "scp's option -" + flags[i:i+1] + " is not one that clients send"
		return p
	}
	for _, w := range rest {
		if !dashes && strings.HasPrefix(w.text, "-") && w.text != "-" {
			p.Unknown = "scp takes " + w.text + " for an option: write ./" + w.text
			return p
		}
		p.Paths = append(p.Paths, path(w))
	}
	switch {
	case to && from:
		p.Unknown = "scp is asked to give and to take at once"
	case len(p.Paths) == 0, to && len(p.Paths) > 1:
		p.Unknown = "scp needs one path to write to, or paths to read"
	case slices.Contains(p.Paths, ""):
		p.Unknown = "an empty path is none"
	}
	return p
}
