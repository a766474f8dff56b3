package target

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
)

// Keys of a target's Secret. What pins the target must equal the AccessTarget's:
// its author can choose neither whom the administrator's login is sent to, nor how
// well that server is verified, nor whether tasks get that login itself.
const (
	KeyHost = "host"
	KeyPort = "port"
	KeyCA   = "ca.crt"
	// KeyTLSMode is VerifyFull when absent.
	KeyTLSMode = "tls-mode"
	// KeyCredential is EphemeralRole when absent.
	KeyCredential = "credential"
	// KeyDatabases are those that tasks may be given, one a line, of what the
	// AccessTarget lists; all of that when absent. It bounds what is granted and never
	// what is taken away: a teardown does not depend on it.
	KeyDatabases = "databases"

	KeyUsername          = "username"
	KeyPassword          = "password"
	KeyClientCertificate = "tls.crt"
	KeyClientKey         = "tls.key"
	// KeyDatabase is the administrator's first database, `postgres` when absent.
	KeyDatabase = "database"
)

// pinned compares Secret and AccessTarget, and only then reads the login.
func pinned(target *v1alpha1.AccessTarget, secret *corev1.Secret) (credential.Admin, error) {
	// Files made by hand end in a newline.
	value := func(key string) string { return strings.TrimRight(string(secret.Data[key]), "\r\n") }
	var differ []string
	for _, pin := range pinsOf(target) {
		got := cmp.Or(value(pin.key), pin.absent)
		if strings.TrimSpace(got) != strings.TrimSpace(pin.want) {
			differ = append(differ, pin.key)
		}
	}
	name := v1alpha1.TargetNamespace + "/" + SecretName(target)
	if len(differ) > 0 {
		return credential.Admin{}, &Error{v1alpha1.ReasonMismatch, fmt.Sprintf(
			"Secret %s does not pin this server: %s differs from the AccessTarget's; correct the one that is wrong, for the Secret: %s",
			name, strings.Join(differ, ", "), createCommand(target))}
	}
	admin := credential.Admin{
		Username: value(KeyUsername), Password: value(KeyPassword),
		ClientCertificate: secret.Data[KeyClientCertificate], ClientKey: secret.Data[KeyClientKey],
		Database: value(KeyDatabase),
	}
	if admin.Username == "" || admin.Password == "" && (len(admin.ClientCertificate) == 0 || len(admin.ClientKey) == 0) {
		return credential.Admin{}, &Error{v1alpha1.ReasonNoSecret, fmt.Sprintf(
			"Secret %s holds no login: it needs %s, and %s or both %s and %s", name, KeyUsername, KeyPassword, KeyClientCertificate, KeyClientKey)}
	}
	return admin, nil
}

// offered is the databases of the AccessTarget that its Secret offers.
func offered(target *v1alpha1.AccessTarget, secret *corev1.Secret) []string {
	listed := slices.Clone(target.Spec.Postgres.Databases)
	pinned, ok := secret.Data[KeyDatabases]
	if !ok {
		return listed
	}
	lines := strings.Split(strings.ReplaceAll(string(pinned), "\r\n", "\n"), "\n")
	return slices.DeleteFunc(listed, func(database string) bool { return !slices.Contains(lines, database) })
}

// Withheld is an Error that names the databases that an AccessTarget lists and its
// Secret does not offer; nil when there are none.
func Withheld(target *v1alpha1.AccessTarget, resolved credential.Target) error {
	withheld := slices.DeleteFunc(slices.Clone(target.Spec.Postgres.Databases), func(database string) bool {
		return slices.Contains(resolved.Spec.Postgres.Databases, database)
	})
	if len(withheld) == 0 {
		return nil
	}
	return &Error{v1alpha1.ReasonMismatch, fmt.Sprintf("Secret %s/%s does not offer database %s: take it from the AccessTarget, or have whoever runs the platform add it under key %s",
		v1alpha1.TargetNamespace, SecretName(target), strings.Join(withheld, ", "), KeyDatabases)}
}

// pin is a key that must hold what the AccessTarget says; absent stands in for it.
type pin struct{ key, want, absent string }

func pinsOf(target *v1alpha1.AccessTarget) []pin {
	spec := target.Spec.Postgres
	return []pin{
		{KeyHost, spec.Host, ""},
		{KeyPort, strconv.Itoa(int(spec.Port)), ""},
		{KeyCA, spec.TLS.CABundle, ""},
		{KeyTLSMode, string(cmp.Or(spec.TLS.Mode, v1alpha1.PostgresTLSVerifyFull)), string(v1alpha1.PostgresTLSVerifyFull)},
		{KeyCredential, string(cmp.Or(spec.Credential, v1alpha1.CredentialEphemeralRole)), string(v1alpha1.CredentialEphemeralRole)},
	}
}

// createCommand makes the Secret that fits; secrets come from files, which leave no
// trace in a shell's history.
func createCommand(target *v1alpha1.AccessTarget) string {
	words := []string{"kubectl -n", v1alpha1.TargetNamespace, "create secret generic", SecretName(target)}
	for _, pin := range pinsOf(target) {
		switch {
		case pin.want == pin.absent:
		case pin.key == KeyCA:
			words = append(words, "--from-file="+KeyCA+"=ca.crt")
		default:
			words = append(words, "--from-literal="+pin.key+"="+pin.want)
		}
	}
	words = append(words, "--from-file="+KeyUsername+"=username", "--from-file="+KeyPassword+"=password")
	return strings.Join(words, " ")
}
