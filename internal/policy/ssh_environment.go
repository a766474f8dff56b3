package policy

import (
	"slices"
	"strings"
)

// steering are the variables that change what a command runs, loads, trusts or where it
// goes; one that ends in `*` is a family. A grant must name each as it is: no prefix
// takes them. CVE-2014-6271 (BASH_FUNC_*), CVE-2023-4911 (GLIBC_TUNABLES) and the loader's
// variables are the best known; sudo(8) strips much the same list.
var steering = []string{
	// The loader and the C library.
	"LD_*", "DYLD_*", "GLIBC_*", "MALLOC_*", "GCONV_PATH", "LOCPATH", "NLSPATH", "HOSTALIASES", "LOCALDOMAIN", "RES_OPTIONS", "RESOLV_*", "TZDIR", "GETCONF_DIR",
	// Shells.
	"PATH", "IFS", "ENV", "BASH*", "SHELL*", "PS0", "PS1", "PS2", "PS4", "PROMPT_COMMAND", "CDPATH", "GLOBIGNORE", "FPATH", "ZDOTDIR", "ZSH*", "KSH*", "FCEDIT", "INPUTRC", "POSIXLY_CORRECT",
	// Who and where one is.
	"HOME", "USER", "LOGNAME", "MAIL", "PWD", "OLDPWD", "TMPDIR", "TMP", "TEMP", "XDG_*", "DBUS_*", "SUDO_*", "SSH_*", "SYSTEMD_*",
	// Programs that others start.
	"EDITOR", "VISUAL", "PAGER", "MANPAGER", "BROWSER", "LESS*", "MORE*", "GIT_*", "RSYNC_*", "CVS_*", "SVN_*", "HG*", "MAKE*", "CC", "CXX", "DISPLAY", "WAYLAND_*",
	// Terminals' descriptions.
	"TERMINFO*", "TERMCAP", "TERMPATH",
	// Interpreters.
	"PERL*", "PYTHON*", "RUBY*", "GEM_*", "BUNDLE_*", "NODE_*", "NPM_*", "PHP*", "LUA_*", "JAVA_*", "_JAVA_*", "JDK_*", "CLASSPATH", "GO*", "RUST*", "CARGO_*", "TCL*", "AWK*",
	// What is trusted, and the way there.
	"SSL_*", "OPENSSL_*", "CURL_*", "REQUESTS_*", "KRB5*", "GNUPGHOME", "HTTP_*", "HTTPS_*", "FTP_*", "ALL_PROXY", "NO_PROXY", "SOCKS_*",
	"KUBECONFIG", "DOCKER_*", "CONTAINER_*", "AWS_*", "AZURE_*", "GOOGLE_*", "CLOUDSDK_*", "VAULT_*", "ANSIBLE_*", "TF_*", "PG*", "MYSQL_*", "ODBC*",
}

// steers says whether a variable is one of steering; case aside, as http_proxy is in use.
func steers(name string) bool {
	name = strings.ToUpper(name)
	return slices.ContainsFunc(steering, func(s string) bool { return named(s, name) })
}

// named says whether a name is a pattern's, which is a name, or a prefix and `*`.
func named(pattern, name string) bool {
	if prefix, open := strings.CutSuffix(pattern, "*"); open {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}

// grantsVariable says whether a grant's names cover a variable.
func grantsVariable(patterns []string, name string) bool {
	if slices.Contains(patterns, name) {
		return validVariable(name)
	}
	return validVariable(name) && !steers(name) && slices.ContainsFunc(patterns, func(p string) bool { return named(p, name) })
}

func validVariable(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// checkVariable says what is wrong with a name of a grant.
func checkVariable(pattern string) string {
	prefix, open := strings.CutSuffix(pattern, "*")
	switch {
	case !validVariable(prefix):
		return "is no name of a variable, or prefix of one with `*`"
	case open && steers(prefix):
		return "variables of this family change what commands run: name each that is meant as it is"
	}
	return ""
}
