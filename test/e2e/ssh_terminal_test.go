package e2e

import (
	"testing"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/test/e2e/harness"
)

// What a terminal shows is masked before anybody sees it, and is what the recording has.
func TestREC2_AShellIsRecordedAsItWasShown(t *testing.T) {
	t.Parallel()
	d, server := harness.Open(t).ServerDomain(t, func(p *v1alpha1.AccessPolicySpec) {
		p.Grant.SSH.Shell = v1alpha1.ShellRecorded
		p.Grant.SSH.Commands = harness.Commands("cat /srv/**")
		p.Masking = &v1alpha1.MaskingPolicy{Detectors: []v1alpha1.DetectorMask{{Name: "addresses", Detect: v1alpha1.DetectEmail}}}
	})
	folder := server.Folder(t)
	server.Write(t, folder+"/app.log", []byte("order 1001 of ada@example.org is paid\n"))
	task := d.Granted(t, d.Bob, "web-1", harness.TypeDeploy)
	tools := task.Tools(t)

	shell := tools.Start(t, "ssh", "-tt", tools.Host)
	_, at := shell.Out.Await(t, 0, "$ ", harness.Patience)
	shell.Type(t, "cat "+folder+"/app.log\n")
	_, at = shell.Out.Await(t, at, "is paid", harness.Patience)
	_, at = shell.Out.Await(t, at, "$ ", harness.Patience)
	// What is typed and not shown is nowhere.
	shell.Type(t, "read -s -p 'Password: ' password; echo; echo ${#password} characters\n")
	_, at = shell.Out.Await(t, at, "\nPassword: ", harness.Patience)
	shell.Type(t, "correct horse battery\n")
	shell.Out.Await(t, at, "21 characters", harness.Patience)
	shell.Type(t, "exit 6\n")
	if _, code := shell.Exit(t, harness.Patience); code != 6 {
		t.Errorf("exit code %d: %s", code, shell.Err)
	}
	shown := shell.Out.String()
	says(t, shown, "order 1001 of ", " is paid")
	doesNotSay(t, shown, "ada@example.org")

	// A command's output is masked too; a file that nobody can look into stays there.
	doesNotSay(t, tools.Do(t, "ssh", tools.Host, "cat "+folder+"/app.log"), "ada@example.org")
	if result := tools.Run(t, "scp", "-q", tools.Host+":"+folder+"/app.log", tools.Home+"/app.log"); result.Code == 0 {
		t.Error("an unmasked file was downloaded")
	}

	task.Close(t)
	task.AwaitGone(t, v1alpha1.ReasonClosed)
	replay := task.Replay(t)
	says(t, replay, "order 1001 of ", "21 characters", "addresses")
	doesNotSay(t, replay, "ada@example.org", "correct horse battery")
	for name, content := range task.Files(t) {
		doesNotSay(t, name+"\n"+string(content), "correct horse battery", "ada@example.org")
	}
	if verdict := task.Verify(t); verdict.Code != 0 {
		t.Errorf("verify: %s", verdict)
	}
}

// In a restricted shell every line is a command, judged and held as one.
func TestSSH3_ARestrictedShellRunsWhatIsGrantedLineByLine(t *testing.T) {
	t.Parallel()
	d, server := harness.Open(t).ServerDomain(t, func(p *v1alpha1.AccessPolicySpec) {
		p.Grant.SSH.Shell = v1alpha1.ShellRestricted
		p.Grant.SSH.Commands = harness.Commands("id -un", "touch /srv/**")
		p.Rules = []v1alpha1.Rule{{Name: "touches", When: "action.kind == 'exec' && action.command.startsWith('touch')", Effect: v1alpha1.EffectHold}}
	})
	folder := server.Folder(t)
	task := d.Granted(t, d.Bob, "web-1", harness.TypeDeploy)
	tools := task.Tools(t)
	shell := tools.Start(t, "ssh", "-tt", tools.Host)
	_, at := shell.Out.Await(t, 0, "> ", harness.Patience)
	shell.Type(t, "id -un\r")
	_, at = shell.Out.Await(t, at, "\ndeploy\r\n", harness.Patience)
	// What is typed while a command runs is the command's.
	_, at = shell.Out.Await(t, at, "> ", harness.Patience)
	shell.Type(t, "uname -a\r")
	_, at = shell.Out.Await(t, at, "refused by policy", harness.Patience)
	_, at = shell.Out.Await(t, at, "> ", harness.Patience)
	shell.Type(t, "touch "+folder+"/restart\r")
	_, at = shell.Out.Await(t, at, "waiting for review: kubectl approve ", harness.Patience)
	held := d.Holds(t)
	if len(held) != 1 {
		t.Fatalf("%d reviews were opened, want 1", len(held))
	}
	d.Alice.Kubectl(t, "approve", held[0].Name, "-n", d.Namespace, "-m", "go ahead")
	_, at = shell.Out.Await(t, at, "> ", harness.Patience)
	shell.Type(t, "id -un\r")
	_, at = shell.Out.Await(t, at, "\ndeploy\r\n", harness.Patience)
	shell.Out.Await(t, at, "> ", harness.Patience)
	if _, err := server.Stat(folder + "/restart"); err != nil {
		t.Error(err)
	}
	shell.Type(t, "exit\r")
	if _, code := shell.Exit(t, harness.Patience); code != 0 {
		t.Errorf("exit code %d: %s", code, shell.Err)
	}
	task.Close(t)
	task.AwaitGone(t, v1alpha1.ReasonClosed)
	says(t, task.Replay(t), "id -un", "uname -a", "REFUSED", "Approved: approved by alice")
}
