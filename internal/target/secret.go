package target

import (
	"cmp"
	"fmt"
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
