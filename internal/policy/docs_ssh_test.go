package policy_test

import (
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
)

// sshExamples are the policies of docs/ssh-policies.md, in their order.
func sshExamples(t *testing.T) []v1alpha1.AccessPolicySpec {
	t.Helper()
	var found []v1alpha1.AccessPolicySpec
	for i, block := range blocks(t, "../../docs/ssh-policies.md") {
		if strings.Contains(block, "kind: AccessPolicy") {
			found = append(found, parsed(t, []byte(block)))
			continue
		}
		s := v1alpha1.AccessPolicySpec{}
		if err := yaml.UnmarshalStrict([]byte(block), &s); err != nil {
			t.Fatalf("example %d: %v", i, err)
		}
		s.Review = spec().Review
		found = append(found, s)
	}
	return found
}

func TestTheExamplesOfThePageOnSSHDoWhatItSays(t *testing.T) {
	t.Parallel()
	const look, restart, deploy, push, reach, restricted, recorded, count = 0, 1, 2, 3, 4, 5, 6, 7
	all := sshExamples(t)
	if len(all) != count {
		t.Fatalf("%d examples, want %d", len(all), count)
	}
	as := func(login string, a policy.Action) policy.Action { a.SSH.Login = login; return a }
	repository := func(kind, path string) policy.Action {
		return as("git", on(kind, func(s *policy.SSHAction) { s.Repository = path }))
	}
	connect := func(port int32) policy.Action {
		return as("audit", on("direct-tcpip", func(s *policy.SSHAction) { s.Host, s.Port = "db.internal", port }))
	}
	download := as("audit", touching("sftp open", use("/etc/passwd", "Read")))
	for name, test := range map[string]struct {
		example int
		action  policy.Action
		effect  v1alpha1.Effect
		rule    string
	}{
		"a status":                    {look, as("audit", run([]string{"systemctl", "status", "web-blue"})), "Allow", "grant"},
		"the end of a log":            {look, as("audit", run([]string{"tail", "-n", "50", "/var/log/web/error.log"})), "Allow", "grant"},
		"the end of another file":     {look, as("audit", run([]string{"tail", "-n", "50", "/var/log/web/../../../etc/shadow"})), "Deny", "grant"},
		"a log to take away":          {look, as("audit", touching("sftp open", use("/var/log/web/a", "Read"))), "Allow", "grant"},
		"a restart under looking":     {look, as("audit", run([]string{"systemctl", "restart", "web"})), "Deny", "grant"},
		"a restart waits":             {restart, run([]string{"systemctl", "restart", "web"}), "Hold", "restart"},
		"behind another command, too": {restart, run([]string{"systemctl", "status", "web"}, []string{"systemctl", "restart", "web"}), "Hold", "restart"},
		"a status does not":           {restart, run([]string{"systemctl", "status", "web"}), "Allow", "grant"},
		"a deployment":                {deploy, touching("rsync upload", use("/srv/web/site/**", "Write")), "Allow", "grant"},
		"one that deletes waits":      {deploy, touching("rsync upload", use("/srv/web/site/**", "Write"), use("/srv/web/site/**", "Delete")), "Hold", "deletes-wait"},
		"one beside":                  {deploy, touching("rsync upload", use("/srv/web/**", "Write")), "Deny", "grant"},
		"a push":                      {push, repository("git-receive-pack", "/srv/git/web.git"), "Allow", "grant"},
		"a push elsewhere":            {push, repository("git-receive-pack", "/srv/git/pay.git"), "Deny", "grant"},
		"a fetch elsewhere":           {push, repository("git-upload-pack", "/srv/git/pay.git"), "Allow", "grant"},
		"the database":                {reach, connect(5432), "Allow", "grant"},
		"another port":                {reach, connect(22), "Deny", "grant"},
		"a line":                      {restricted, as("audit", run([]string{"ls", "-l", "/srv"})), "Allow", "grant"},
		"a shell of lines":            {restricted, as("audit", on("shell")), "Allow", "grant"},
		"a line that is not granted":  {restricted, as("audit", run([]string{"bash"})), "Deny", "grant"},
		"a shell":                     {recorded, as("audit", on("shell")), "Allow", "grant"},
		"a file":                      {recorded, download, "Deny", "grant"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := mustCompile(t, all[test.example]).Decide(test.action, context)
			if got.Effect != test.effect || got.Rule != test.rule {
				t.Errorf("%s by rule %s (%s), want %s by %s", got.Effect, got.Rule, got.Message, test.effect, test.rule)
			}
		})
	}
}

func TestTheSampleForSSHDoesWhatItsFirstLinesSay(t *testing.T) {
	t.Parallel()
	p := mustCompile(t, sample(t, "ssh/accesspolicy.yaml"))
	for name, test := range map[string]struct {
		action policy.Action
		effect v1alpha1.Effect
	}{
		"the site may be changed":   {touching("sftp open", use("/srv/web/index.html", "Write")), "Allow"},
		"its configuration may not": {touching("sftp open", use("/srv/web/etc/web.conf", "Write")), "Deny"},
		"logs may be read":          {run([]string{"tail", "-n", "9", "/var/log/web/a"}), "Allow"},
		"a restart waits":           {run([]string{"systemctl", "restart", "web"}), "Hold"},
		"nothing else runs":         {run([]string{"reboot"}), "Deny"},
	} {
		if got := p.Decide(test.action, context); got.Effect != test.effect {
			t.Errorf("%s: %s by %s: %s", name, got.Effect, got.Rule, got.Message)
		}
	}
	request := v1alpha1.TaskAccessRequest{}
	content, err := os.ReadFile("../../config/samples/ssh/request.yaml")
	if err == nil {
		err = yaml.UnmarshalStrict(content, &request)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := policy.Narrow(sample(t, "ssh/accesspolicy.yaml").Grant, request.Spec.Grant); err != nil {
		t.Errorf("the sample's request: %v", err)
	}
}
