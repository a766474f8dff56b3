package grant

import (
	"fmt"
	"strings"
	"testing"
)

func TestASecretIsPrintedByNoVerb(t *testing.T) {
	t.Parallel()
	state := State{Phase: Granted, Grant: &Grant{Postgres: &PostgresUpstream{User: "role", Password: "hunter2", ClientKey: "hunter2"}}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X"} {
		for _, value := range []any{state, state.Grant.Postgres, *state.Grant.Postgres, state.Grant.Postgres.Password} {
			if printed := fmt.Sprintf(verb, value); strings.Contains(printed, "hunter2") || strings.Contains(strings.ToLower(printed), fmt.Sprintf("%x", "hunter2")) {
				t.Errorf("%s of %T prints it: %s", verb, value, printed)
			}
		}
	}
	if got := state.Grant.Postgres.Password.Reveal(); got != "hunter2" {
		t.Errorf("revealed %q", got)
	}
}
