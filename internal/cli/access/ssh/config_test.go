package ssh

import "testing"

func TestWhatAProxyCommandRepeatsIsOneWordOfTheShellEach(t *testing.T) {
	t.Parallel()
	c := &Config{Flags: []string{"--context=$(id)", "--as=it's", "--server=https://192.0.2.1:6443", "--user=100%h"}}
	c.namespace = "payments;id"
	want := `kubectl access proxy-command web-7 '--namespace=payments;id' '--context=$(id)' '--as=it'\''s' --server=https://192.0.2.1:6443 '--user=100%%h'`
	if got := c.command("web-7"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAFileForSSHHoldsNeitherATokenNorALineOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--token=abc", "--context=prod\nProxyCommand id", "--context=prod\rx"} {
		if (&Config{Flags: []string{"--cluster=a", flag}}).Validate() == nil {
			t.Errorf("%q was taken", flag)
		}
	}
	if err := (&Config{Flags: []string{"--context=prod"}}).Validate(); err != nil {
		t.Error(err)
	}
}
