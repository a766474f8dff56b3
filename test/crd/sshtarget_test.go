package crd_test

import "testing"

const sshTarget = `
apiVersion: access.sallyport.dev/v1alpha1
kind: AccessTarget
metadata: {name: web}
spec:
  ssh:
    host: web.example
    hostKeys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
    logins: [deploy]
    certificateSeconds: 120
`

func TestAnSSHTargetSaysHowItsServerIsKnown(t *testing.T) {
	t.Parallel()
	const keys, authorities = "/spec/ssh/hostKeys", "/spec/ssh/hostAuthorities"
	creations(t, sshTarget, []row{
		{"as it stands", "", ""},
		{"both protocols", put("/spec/postgres", `{"host":"db.example","databases":["orders"]}`), "exactly one of: postgres, ssh"},
		{"no host key", del(keys), "say how the server is known"},
		{"an empty list of host keys", put(keys, "[]"), "say how the server is known"},
		{"an authority in its place", del(keys) + "," + put(authorities, `["ssh-ed25519 AAAA"]`), ""},
		{"a host key with a comment", put(keys, `["ssh-ed25519 AAAA root@web"]`), "hostKeys[0]"},
		{"two lines", put(keys, `["ssh-ed25519 AAAA\nssh-ed25519 BBBB"]`), "hostKeys[0]"},
		{"no login", put("/spec/ssh/logins", "[]"), "ssh.logins"},
		{"a login that is an option", put("/spec/ssh/logins", `["-oProxyCommand=x"]`), "ssh.logins[0]"},
		{"a login that is two", put("/spec/ssh/logins", `["deploy,root"]`), "ssh.logins[0]"},
		{"a role, which is no SSH credential", put("/spec/ssh/credential", `"EphemeralRole"`), "is Certificate or Static"},
		{"an address in place of a network", put("/spec/ssh/sourceAddresses", `["10.0.0.1"]`), "want a network"},
		{"certificates for a day", put("/spec/ssh/certificateSeconds", "86400"), "ssh.certificateSeconds"},
	})
}

func TestAnSSHTargetsAddressAndIdentityAreImmutable(t *testing.T) {
	t.Parallel()
	const keys, known = "/spec/ssh/hostKeys", "hostKeys and hostAuthorities are immutable"
	updates(t, sshTarget, []row{
		{"another host", put("/spec/ssh/host", `"evil.example"`), "host and port are immutable"},
		{"another port", put("/spec/ssh/port", "2022"), "host and port are immutable"},
		{"another host key", put(keys, `["ssh-ed25519 BBBB"]`), known},
		{"one host key more", put(keys+"/-", `"ssh-ed25519 BBBB"`), known},
		{"an authority that appears", put("/spec/ssh/hostAuthorities", `["ssh-ed25519 BBBB"]`), known},
		{"another kind of credential", put("/spec/ssh/credential", `"Static"`), "credential is immutable"},
		{"another protocol", del("/spec/ssh") + "," + put("/spec/postgres", `{"host":"db.example","databases":["orders"]}`), "the protocol is immutable"},
		{"one more login", put("/spec/ssh/logins/-", `"audit"`), ""},
		{"certificates for longer", put("/spec/ssh/certificateSeconds", "600"), ""},
		{"for less long than some that are out", put("/spec/ssh/certificateSeconds", "60"), "certificateSeconds can only be raised"},
	})
}
