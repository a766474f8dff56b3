package crd_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const webServer = `
apiVersion: access.sallyport.dev/v1alpha1
kind: AccessTarget
metadata: {name: web}
spec:
  ssh:
    host: web.ssh.example
    hostKeys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"]
    logins: [deploy]
`

const sshPolicy = `
apiVersion: access.sallyport.dev/v1alpha1
kind: AccessPolicy
metadata: {name: web}
spec:
  taskTypes: [deploy]
  targets: [web]
  grant:
    ssh:
      logins: [deploy]
      commands: [{argv: [uptime]}]
      files: [{path: /srv/web/**, access: [Read]}]
  review:
    requirements:
    - {name: ops, groups: [ops]}
`

func TestAnAccessTargetNamesOneSSHServer(t *testing.T) {
	t.Parallel()
	const (
		ssh = "/spec/ssh"
		key = `"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4g"`
	)
	creations(t, webServer, []row{
		{"as it stands", "", ""},
		{"two protocols", put("/spec/postgres", `{"host":"db","databases":["orders"]}`), "exactly one of"},
		{"no protocol", del(ssh), "exactly one of"},
		{"a field that nobody enforces", put(ssh+"/jump", `"x"`), "unknown field"},
		{"no host", del(ssh + "/host"), "host: Required value"},
		{"a host that is an option", put(ssh+"/host", `"-oProxyCommand=x"`), "ssh.host"},
		{"a host with a user", put(ssh+"/host", `"root@web"`), "ssh.host"},
		{"port 0", put(ssh+"/port", "0"), "ssh.port"},
		{"port 65536", put(ssh+"/port", "65536"), "ssh.port"},
		{"neither host keys nor authorities", del(ssh + "/hostKeys"), "say how the server is known"},
		{"no host key", put(ssh+"/hostKeys", "[]"), "say how the server is known"},
		{"an authority alone", del(ssh+"/hostKeys") + "," + put(ssh+"/hostAuthorities", "["+key+"]"), ""},
		{"a host key with options", put(ssh+"/hostKeys", `["cert-authority ssh-ed25519 AAAA"]`), "hostKeys[0]"},
		{"a host key with a comment", put(ssh+"/hostKeys", `["ssh-ed25519 AAAA me@here"]`), "hostKeys[0]"},
		{"a host key of two lines", put(ssh+"/hostKeys", `["ssh-ed25519 AAAA\nssh-rsa AAAA"]`), "hostKeys[0]"},
		{"a host key twice", put(ssh+"/hostKeys", `["ssh-rsa AAAA","ssh-rsa AAAA"]`), "Duplicate value"},
		{"9 host keys", put(ssh+"/hostKeys", list(9, `"ssh-rsa AAA%d"`)), "hostKeys: Too many"},
		{"no logins", del(ssh + "/logins"), "logins: Required value"},
		{"an empty list of logins", put(ssh+"/logins", "[]"), "logins"},
		{"a login that is an option", put(ssh+"/logins", `["-l"]`), "logins[0]"},
		{"a login with a comma", put(ssh+"/logins", `["a,root"]`), "logins[0]"},
		{"a login twice", put(ssh+"/logins", `["a","a"]`), "Duplicate value"},
		{"a static credential", put(ssh+"/credential", `"Static"`), ""},
		{"a role", put(ssh+"/credential", `"EphemeralRole"`), "Certificate or Static"},
		{"a network", put(ssh+"/sourceAddresses", `["10.0.0.0/8","2001:db8::/32"]`), ""},
		{"an address for a network", put(ssh+"/sourceAddresses", `["10.0.0.1"]`), "want a network"},
		{"a pattern for a network", put(ssh+"/sourceAddresses", `["10.*"]`), "want a network"},
		{"certificates of 29 seconds", put(ssh+"/certificateSeconds", "29"), "certificateSeconds"},
		{"certificates of an hour and a second", put(ssh+"/certificateSeconds", "3601"), "certificateSeconds"},
	})
	updates(t, webServer, []row{
		{"another host", put(ssh+"/host", `"other"`), "host and port are immutable"},
		{"another port", put(ssh+"/port", "2222"), "host and port are immutable"},
		{"another host key", put(ssh+"/hostKeys", "["+key+"]"), "hostKeys and hostAuthorities are immutable"},
		{"an authority more", put(ssh+"/hostAuthorities", "["+key+"]"), "hostKeys and hostAuthorities are immutable"},
		{"another credential", put(ssh+"/credential", `"Static"`), "credential is immutable"},
		{"another protocol", del(ssh) + "," + put("/spec/postgres", `{"host":"db","databases":["orders"]}`), "immutable"},
		{"another login", put(ssh+"/logins", `["deploy","audit"]`), ""},
		{"longer certificates", put(ssh+"/certificateSeconds", "600"), ""},
	})
}

func TestAnSSHTargetIsSafeByDefault(t *testing.T) {
	t.Parallel()
	got := accepted(t, webServer, del("/spec/ssh/hostKeys")+","+put("/spec/ssh/hostAuthorities", `["ssh-rsa AAAA"]`)).Object["spec"].(map[string]any)["ssh"]
	want := map[string]any{
		"host": "web.ssh.example", "port": int64(22), "hostAuthorities": []any{"ssh-rsa AAAA"}, "logins": []any{"deploy"},
		"credential": "Certificate", "certificateSeconds": int64(180),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spec.ssh (-want +got):\n%s", diff)
	}
}

func TestAnAccessPolicyGrantsNamedThingsOnAServer(t *testing.T) {
	t.Parallel()
	const ssh = "/spec/grant/ssh"
	creations(t, sshPolicy, []row{
		{"as it stands", "", ""},
		{"two protocols", put("/spec/grant/postgres", `{"database":"orders"}`), "exactly one of: postgres, ssh"},
		{"logins alone", put(ssh, `{"logins":["deploy"]}`), ""},
		{"no logins", del(ssh + "/logins"), "logins: Required value"},
		{"a login with a blank", put(ssh+"/logins", `["a b"]`), "logins[0]"},
		{"17 logins", put(ssh+"/logins", list(17, `"u%d"`)), "logins: Too many"},
		{"everything", put(ssh, `{"logins":["deploy"],"unrestricted":true}`), ""},
		{"everything, and something", put(ssh+"/unrestricted", "true"), "unrestricted names nothing else"},
		{"a shell", put(ssh+"/shell", `"Recorded"`), ""},
		{"an open shell", put(ssh+"/shell", `"Open"`), "Unsupported value"},
		{"a command without words", put(ssh+"/commands", `[{"argv":[]}]`), "argv"},
		{"65 words", put(ssh+"/commands", `[{"argv":`+list(65, `"w%d"`)+`}]`), "argv: Too many"},
		{"129 commands", put(ssh+"/commands", list(129, `{"argv":["c%d"]}`)), "commands: Too many"},
		{"a relative path", put(ssh+"/files/0/path", `"srv"`), "files[0].path"},
		{"a path of two lines", put(ssh+"/files/0/path", `"/srv\n/etc"`), "files[0].path"},
		{"no access", put(ssh+"/files/0/access", "[]"), "files[0].access"},
		{"an access of another kind", put(ssh+"/files/0/access", `["Execute"]`), "Unsupported value"},
		{"a negative bound", put(ssh+"/files/0/maxBytes", "-1"), "files[0].maxBytes"},
		{"a repository twice", put(ssh+"/repositories", `[{"path":"/a"},{"path":"/a","push":true}]`), "Duplicate value"},
		{"a forward", put(ssh+"/forwards", `[{"host":"*.internal","ports":[5432]}]`), ""},
		{"a forward to nowhere", put(ssh+"/forwards", `[{"host":""}]`), "forwards[0].host"},
		{"a forward to a URL", put(ssh+"/forwards", `[{"host":"http://x"}]`), "forwards[0].host"},
		{"a forward to port 0", put(ssh+"/forwards", `[{"host":"a","ports":[0]}]`), "ports[0]"},
		{"a relative socket", put(ssh+"/sockets", `[{"path":"run/x"}]`), "sockets[0].path"},
		{"a family of variables", put(ssh+"/environment", `["LC_*"]`), ""},
		{"any variable", put(ssh+"/environment", `["*"]`), "environment[0]"},
		{"a variable with its value", put(ssh+"/environment", `["A=B"]`), "environment[0]"},
		{"a bound below nothing", put(ssh+"/maxUploadBytes", "-1"), "maxUploadBytes"},
	})
}
