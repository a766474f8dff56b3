package login

import "testing"

func TestConninfoValuesAreQuoted(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"orders": "orders", "bob smith": "'bob smith'", `o'neil`: `'o\'neil'`, `corp\bob`: `'corp\\bob'`,
		"x sslmode=disable": "'x sslmode=disable'", "a\nb": "'a\nb'",
	} {
		if got := quote(value); got != want {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
	}
}
