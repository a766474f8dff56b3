package target

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

const (
	hostKey  = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	otherKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
)

func sshTarget() *v1alpha1.AccessTarget {
	return &v1alpha1.AccessTarget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "web"},
		Spec: v1alpha1.AccessTargetSpec{SSH: &v1alpha1.SSHTarget{
			Host: "web.example.com", Port: 22, HostKeys: []string{hostKey, otherKey}, HostAuthorities: []string{otherKey},
			Logins: []string{"deploy", "audit"}, Credential: v1alpha1.CredentialCertificate,
		}},
	}
}

func sshSecret(data map[string]string) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.TargetNamespace, Name: "payments.web"},
		Data: map[string][]byte{
			"host": []byte("web.example.com"), "port": []byte("22"), "host-authorities": []byte(otherKey + "\n"),
			"host-keys": []byte(otherKey + " root@web\r\n\n" + hostKey + "\n"),
		},
	}
	for key, value := range data {
		secret.Data[key] = []byte(value)
	}
	return secret
}

func TestAnSSHTargetWithCertificatesNeedsNoLoginButTheSecret(t *testing.T) {
	t.Parallel()
	got, err := resolver(sshSecret(nil), "10.0.0.9").Resolve(t.Context(), sshTarget())
	if err != nil {
		t.Fatal(err)
	}
	if got.Admin.Username != "" || !slices.Equal(got.Addresses, []string{"10.0.0.9"}) || len(got.Spec.SSH.Logins) != 2 {
		t.Errorf("got %+v", got)
	}
	_, err = resolver(nil, "10.0.0.9").Resolve(t.Context(), sshTarget())
	wantReason(t, err, v1alpha1.ReasonNoSecret)
	const command = "kubectl -n sallyport-targets create secret generic payments.web --from-literal=host=web.example.com" +
		" --from-literal=port=22 --from-file=host-keys=host-keys --from-file=host-authorities=host-authorities"
	if !strings.HasSuffix(err.Error(), command) {
		t.Errorf("says %s", err)
	}
}

func TestOP2_ANamespaceAdministratorCannotLeadTasksToAnotherSSHServer(t *testing.T) {
	t.Parallel()
	for name, adjust := range map[string]func(*v1alpha1.SSHTarget){
		"another host": func(s *v1alpha1.SSHTarget) { s.Host = "evil.example.com" },
		"another port": func(s *v1alpha1.SSHTarget) { s.Port = 2222 },
		"another host key": func(s *v1alpha1.SSHTarget) {
			s.HostKeys = []string{hostKey, strings.Replace(otherKey, "BBB", "CCC", 1)}
		},
		"one host key more": func(s *v1alpha1.SSHTarget) {
			s.HostKeys = append(s.HostKeys, strings.Replace(otherKey, "BBB", "CCC", 1))
		},
		"one host key fewer":            func(s *v1alpha1.SSHTarget) { s.HostKeys = s.HostKeys[:1] },
		"another authority":             func(s *v1alpha1.SSHTarget) { s.HostAuthorities = []string{hostKey} },
		"an authority as a host key":    func(s *v1alpha1.SSHTarget) { s.HostAuthorities = nil },
		"the login itself, as a task's": func(s *v1alpha1.SSHTarget) { s.Credential = v1alpha1.CredentialStatic },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := sshTarget()
			adjust(target.Spec.SSH)
			got, err := resolver(sshSecret(map[string]string{"username": "deploy", "ssh-privatekey": "PEM"}), "10.0.0.9").Resolve(t.Context(), target)
			wantReason(t, err, v1alpha1.ReasonMismatch)
			if got.Admin.SSHPrivateKey != nil {
				t.Error("the login came out")
			}
		})
	}
}

func TestAStandingSSHKeyIsReadForStaticAlone(t *testing.T) {
	t.Parallel()
	login := map[string]string{"username": "deploy\n", "ssh-privatekey": "PEM\n"}
	got, err := resolver(sshSecret(login), "10.0.0.9").Resolve(t.Context(), sshTarget())
	if err != nil || got.Admin.Username != "" || got.Admin.SSHPrivateKey != nil {
		t.Errorf("a login was read that certificates do not need: %v", err)
	}
	target := sshTarget()
	target.Spec.SSH.Credential = v1alpha1.CredentialStatic
	login["credential"] = "Static"
	got, err = resolver(sshSecret(login), "10.0.0.9").Resolve(t.Context(), target)
	if err != nil || got.Admin.Username != "deploy" || string(got.Admin.SSHPrivateKey) != "PEM\n" {
		t.Errorf("%v: %s", err, got.Admin.Username)
	}
	for name, missing := range map[string]map[string]string{
		"nothing": {"credential": "Static"}, "no key": {"credential": "Static", "username": "deploy"},
		"no user": {"credential": "Static", "ssh-privatekey": "PEM"},
	} {
		if _, err := resolver(sshSecret(missing), "10.0.0.9").Resolve(t.Context(), target); err == nil {
			t.Errorf("%s: resolved", name)
		} else {
			wantReason(t, err, v1alpha1.ReasonNoSecret)
		}
	}
}

func TestOP2_ASecretBoundsTheLoginsThatTasksMayBeGiven(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		static bool
		data   map[string]string
		want   []string
	}{
		"certificates for all":            {false, nil, []string{"deploy", "audit"}},
		"certificates for one":            {false, map[string]string{"logins": "audit\nroot\n"}, []string{"audit"}},
		"a key is for its own user":       {true, map[string]string{"username": "audit"}, []string{"audit"}},
		"unless the platform says others": {true, map[string]string{"username": "audit", "logins": "audit\r\ndeploy"}, []string{"deploy", "audit"}},
		"and never more than it says":     {true, map[string]string{"username": "audit", "logins": "deploy"}, []string{"deploy"}},
	} {
		target, data := sshTarget(), map[string]string{"password": "s3cret"}
		maps.Copy(data, c.data)
		if c.static {
			target.Spec.SSH.Credential, data["credential"] = v1alpha1.CredentialStatic, "Static"
		}
		got, err := resolver(sshSecret(data), "10.0.0.9").Resolve(t.Context(), target)
		if err != nil {
			t.Fatalf("%s: a teardown must not depend on it: %v", name, err)
		}
		if diff := cmp.Diff(c.want, got.Spec.SSH.Logins); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if err := Withheld(target, got); (err != nil) != (len(c.want) < 2) {
			t.Errorf("%s: withheld: %v", name, err)
		}
	}
}
