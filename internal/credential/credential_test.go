package credential

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestAnAdministratorsLoginIsNeverPrinted(t *testing.T) {
	t.Parallel()
	admin := Admin{Username: "root", Password: "hunter2", ClientKey: []byte("hunter2"), SSHPrivateKey: []byte("hunter2")}
	target := Target{Name: "orders", Admin: admin}
	login := Login{User: "root", Password: "hunter2", ClientKey: "hunter2", PrivateKey: "hunter2"}
	for _, value := range []any{admin, &admin, target, &target, []Target{target}, login, &login} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if text := fmt.Sprintf(verb, value); strings.Contains(text, "hunter2") || strings.Contains(text, "104 117 110") {
				t.Errorf("%s of %T: %s", verb, value, text)
			}
		}
	}
	if err := fmt.Errorf("probe %v: %w", target, errors.ErrUnsupported); strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}
