package postgres

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
)

func testIssuer(installation, key string) *Issuer {
	return &Issuer{Options{Installation: installation, MasterKey: []byte(strings.Repeat(key, 32))}}
}

func TestAPasswordIsOfItsInstallationRequestAndGeneration(t *testing.T) {
	t.Parallel()
	const uid, other = "11111111-2222-3333-4444-555555555555", "11111111-2222-3333-4444-555555555556"
	seen := map[string]string{}
	for name, password := range map[string]func() (string, error){
		"first":            func() (string, error) { p, err := testIssuer("00000001", "a").Password(uid, 1); return p.Reveal(), err },
		"other generation": func() (string, error) { p, err := testIssuer("00000001", "a").Password(uid, 2); return p.Reveal(), err },
		"other request": func() (string, error) {
			p, err := testIssuer("00000001", "a").Password(other, 1)
			return p.Reveal(), err
		},
		"other installation": func() (string, error) { p, err := testIssuer("00000002", "a").Password(uid, 1); return p.Reveal(), err },
		"other key":          func() (string, error) { p, err := testIssuer("00000001", "b").Password(uid, 1); return p.Reveal(), err },
	} {
		got, err := password()
		if err != nil || len(got) != 43 {
			t.Errorf("%s: %d characters, %v", name, len(got), err)
		}
		if twin, ok := seen[got]; ok {
			t.Errorf("%s and %s share a password", name, twin)
		}
		seen[got] = name
		again, _ := password()
		if again != got {
			t.Errorf("%s: not the same twice", name)
		}
	}
}

func TestAPasswordPrintsAsNothing(t *testing.T) {
	t.Parallel()
	password, err := testIssuer("00000001", "a").Password("11111111-2222-3333-4444-555555555555", 1)
	if err != nil {
		t.Fatal(err)
	}
	if printed := fmt.Sprintf("%v %s %+v %#v", password, password, password, password); strings.Contains(printed, password.Reveal()) {
		t.Error("it prints")
	}
}

func TestTheVerifierIsWhatRFC5802Says(t *testing.T) {
	t.Parallel()
	salt := []byte("0123456789abcdef")
	got, err := scramVerifier("pencil", salt)
	if err != nil {
		t.Fatal(err)
	}
	client, err := scram.SHA256.NewClient("", "pencil", "")
	if err != nil {
		t.Fatal(err)
	}
	stored, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: string(salt), Iters: iterations})
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("$%s:%s", b64(stored.StoredKey), b64(stored.ServerKey)); !strings.HasSuffix(got, want) {
		t.Errorf("got %s, want …%s", got, want)
	}
}

func TestOnlyUUIDsNameRoles(t *testing.T) {
	t.Parallel()
	issuer := testIssuer("0a1b2c3d", "a")
	const uid = "11111111-2222-3333-4444-55555555aaaa"
	role, err := issuer.RoleName(uid)
	if err != nil || role != "sp_0a1b2c3d_1111111122223333444455555555aaaa" {
		t.Fatalf("got %s, %v", role, err)
	}
	if back, ok := issuer.uid(role); !ok || back != uid {
		t.Errorf("back to %s", back)
	}
	for _, bad := range []string{"", "x", `1"; DROP ROLE postgres`, strings.ToUpper(uid), uid + "00", strings.Repeat("é", 16)} {
		if role, err := issuer.RoleName(bad); err == nil {
			t.Errorf("%q names %s", bad, role)
		}
	}
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
