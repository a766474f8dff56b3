package target

import (
	"fmt"
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
	// KeyCredential is EphemeralRole when absent, of an SSH server Certificate.
	KeyCredential = "credential"
	// KeyHostKeys and KeyHostAuthorities are the AccessTarget's of an SSH server, one a
	// line, in any order; a line may have a comment behind its key.
	KeyHostKeys        = "host-keys"
	KeyHostAuthorities = "host-authorities"
	// KeyDatabases, and KeyLogins of an SSH server, are those that tasks may be given, one a line, of what the
	// AccessTarget lists; all of that when absent, with a standing SSH key the logins
	// that are KeyUsername.
	KeyDatabases = "databases"
	KeyLogins    = "logins"

	KeyUsername          = "username"
	KeyPassword          = "password"
	KeyClientCertificate = "tls.crt"
	KeyClientKey         = "tls.key"
	// KeySSHPrivateKey is PEM, and named as in a Secret of type kubernetes.io/ssh-auth.
	KeySSHPrivateKey = corev1.SSHAuthPrivateKey
	// KeyDatabase is the administrator's first database, `postgres` when absent.
	KeyDatabase = "database"
)

// value is a line of the Secret: files made by hand end in a newline.
func value(secret *corev1.Secret, key string) string {
	return strings.TrimRight(string(secret.Data[key]), "\r\n")
}

// pinned compares Secret and AccessTarget, and only then reads the login.
func pinned(target *v1alpha1.AccessTarget, secret *corev1.Secret) (credential.Admin, error) {
	var differ []string
	for _, pin := range pinsOf(target) {
		if !pin.holds(secret) {
			differ = append(differ, pin.key)
		}
	}
	name := v1alpha1.TargetNamespace + "/" + SecretName(target)
	if len(differ) > 0 {
		return credential.Admin{}, &Error{v1alpha1.ReasonMismatch, fmt.Sprintf(
			"Secret %s does not pin this server: %s differs from the AccessTarget's; correct the one that is wrong, for the Secret: %s",
			name, strings.Join(differ, ", "), createCommand(target))}
	}
	admin, missing := loginOf(target.Spec, secret)
	if missing != "" {
		return credential.Admin{}, &Error{v1alpha1.ReasonNoSecret, fmt.Sprintf("Secret %s holds no login: it needs %s", name, missing)}
	}
	return admin, nil
}

// loginOf reads the login, or says what it needs. A server that takes certificates needs
// none: the Secret is the platform's consent alone.
func loginOf(spec v1alpha1.AccessTargetSpec, secret *corev1.Secret) (admin credential.Admin, missing string) {
	admin = credential.Admin{Username: value(secret, KeyUsername), Password: value(secret, KeyPassword)}
	switch {
	case spec.SSH == nil:
		admin.ClientCertificate, admin.ClientKey = secret.Data[KeyClientCertificate], secret.Data[KeyClientKey]
		admin.Database = value(secret, KeyDatabase)
		if admin.Username == "" || admin.Password == "" && (len(admin.ClientCertificate) == 0 || len(admin.ClientKey) == 0) {
			return credential.Admin{}, fmt.Sprintf("%s, and %s or both %s and %s", KeyUsername, KeyPassword, KeyClientCertificate, KeyClientKey)
		}
	case spec.SSH.Credential != v1alpha1.CredentialStatic:
		return credential.Admin{}, ""
	default:
		admin.SSHPrivateKey = secret.Data[KeySSHPrivateKey]
		if admin.Username == "" || admin.Password == "" && len(admin.SSHPrivateKey) == 0 {
			return credential.Admin{}, fmt.Sprintf("%s, and %s or %s", KeyUsername, KeySSHPrivateKey, KeyPassword)
		}
	}
	return admin, ""
}
