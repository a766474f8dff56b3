package ssh

import "testing"

// As scripts and make do: each ssh begins when the one before it has ended.
func TestCommandsOneAfterTheOtherNeedOnePlaceOfTheTask(t *testing.T) {
	t.Parallel()
	policy := unrestricted()
	policy.Session.MaxConcurrent = 1
	b := granted(t, policy)
	for i := range 20 {
		if out, err := b.tool(t, "", "ssh", "deploy@127.0.0.1", "true"); err != nil {
			t.Fatalf("command %d: %v\n%s", i, err, out)
		}
	}
}
