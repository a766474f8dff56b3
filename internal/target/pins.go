package target

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// pin is a key that must hold what the AccessTarget says; absent stands in for it. Of
// keys of servers it is a set, one a line.
type pin struct {
	key, want, absent string
	set               bool
}

func pinsOf(target *v1alpha1.AccessTarget) []pin {
	endpoint, _ := EndpointOf(target.Spec)
	pins := []pin{
		{key: KeyHost, want: endpoint.Host},
		{key: KeyPort, want: strconv.Itoa(int(endpoint.Port))},
	}
	if ssh := target.Spec.SSH; ssh != nil {
		return append(pins,
			pin{key: KeyHostKeys, want: strings.Join(ssh.HostKeys, "\n"), set: true},
			pin{key: KeyHostAuthorities, want: strings.Join(ssh.HostAuthorities, "\n"), set: true},
			pin{key: KeyCredential, want: string(endpoint.Type), absent: string(v1alpha1.CredentialCertificate)},
		)
	}
	tls := target.Spec.Postgres.TLS
	return append(pins,
		pin{key: KeyCA, want: tls.CABundle},
		pin{key: KeyTLSMode, want: string(cmp.Or(tls.Mode, v1alpha1.PostgresTLSVerifyFull)), absent: string(v1alpha1.PostgresTLSVerifyFull)},
		pin{key: KeyCredential, want: string(endpoint.Type), absent: string(v1alpha1.CredentialEphemeralRole)},
	)
}

func (p pin) holds(secret *corev1.Secret) bool {
	got := cmp.Or(value(secret, p.key), p.absent)
	if p.set {
		return slices.Equal(keysOf(got), keysOf(p.want))
	}
	return strings.TrimSpace(got) == strings.TrimSpace(p.want)
}

// keysOf is the keys of lines `type base64 comment`, sorted, without their comments.
func keysOf(lines string) []string {
	keys := []string{}
	for line := range strings.Lines(lines) {
		words := strings.Fields(line)
		if len(words) > 0 {
			keys = append(keys, strings.Join(words[:min(len(words), 2)], " "))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// createCommand makes the Secret that fits; secrets, and what is long, come from files,
// which leave no trace in a shell's history.
func createCommand(target *v1alpha1.AccessTarget) string {
	words := []string{"kubectl -n", v1alpha1.TargetNamespace, "create secret generic", SecretName(target)}
	files := map[string]string{KeyCA: "ca.crt", KeyHostKeys: "host-keys", KeyHostAuthorities: "host-authorities"}
	for _, pin := range pinsOf(target) {
		switch file, ok := files[pin.key]; {
		case pin.want == pin.absent:
		case ok:
			words = append(words, "--from-file="+pin.key+"="+file)
		default:
			words = append(words, "--from-literal="+pin.key+"="+pin.want)
		}
	}
	return strings.Join(append(words, loginFiles(target.Spec)...), " ")
}

// loginFiles are the parts of a Secret that hold its login.
func loginFiles(spec v1alpha1.AccessTargetSpec) []string {
	switch {
	case spec.SSH == nil:
		return []string{"--from-file=" + KeyUsername + "=username", "--from-file=" + KeyPassword + "=password"}
	case spec.SSH.Credential == v1alpha1.CredentialStatic:
		return []string{"--from-file=" + KeyUsername + "=username", "--from-file=" + KeySSHPrivateKey + "=id_ed25519"}
	}
	return nil
}
