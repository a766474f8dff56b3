package target

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
)

// list is what of a target tasks may be given, and the key of the Secret that bounds it:
// what is granted, never what is taken away. A teardown does not depend on it.
type list struct {
	key, what string
	names     *[]string
	// unlisted bounds it where the Secret has no such key; nil is no bound.
	unlisted func(*corev1.Secret) []string
}

// listOf is the list of a spec of a protocol that is served here.
func listOf(spec *v1alpha1.AccessTargetSpec) list {
	if ssh := spec.SSH; ssh != nil {
		l := list{key: KeyLogins, what: "login", names: &ssh.Logins}
		if ssh.Credential == v1alpha1.CredentialStatic {
			// The key is that account's; whether it opens others is the platform's to say.
			l.unlisted = func(secret *corev1.Secret) []string { return []string{value(secret, KeyUsername)} }
		}
		return l
	}
	return list{key: KeyDatabases, what: "database", names: &spec.Postgres.Databases}
}

// bound leaves in the list what the Secret offers.
func (l list) bound(secret *corev1.Secret) {
	var offered []string
	switch pinned, ok := secret.Data[l.key]; {
	case ok:
		offered = strings.Split(strings.ReplaceAll(string(pinned), "\r\n", "\n"), "\n")
	case l.unlisted == nil:
		return
	default:
		offered = l.unlisted(secret)
	}
	*l.names = slices.DeleteFunc(*l.names, func(name string) bool { return !slices.Contains(offered, name) })
}

// Withheld is an Error that names the databases or logins that an AccessTarget lists and
// its Secret does not offer; nil when there are none.
func Withheld(target *v1alpha1.AccessTarget, resolved credential.Target) error {
	listed, offered := listOf(target.Spec.DeepCopy()), listOf(&resolved.Spec)
	withheld := slices.DeleteFunc(*listed.names, func(name string) bool { return slices.Contains(*offered.names, name) })
	if len(withheld) == 0 {
		return nil
	}
	return &Error{v1alpha1.ReasonMismatch, fmt.Sprintf("Secret %s/%s does not offer %s %s: take it from the AccessTarget, or have whoever runs the platform add it under key %s",
		v1alpha1.TargetNamespace, SecretName(target), listed.what, strings.Join(withheld, ", "), listed.key)}
}
