package static

import (
	"errors"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/credential"
)

func TestAStandingLoginIsForTheTargetsDatabasesAlone(t *testing.T) {
	t.Parallel()
	issuer := New(time.Now, nil)
	target := credential.Target{Name: "orders", Admin: credential.Admin{Username: "app"},
		Spec: v1alpha1.AccessTargetSpec{Postgres: &v1alpha1.PostgresTarget{Databases: []string{"orders"}}}}
	issue := func(database string) error {
		_, err := issuer.Issue(t.Context(), target, credential.Request{
			Grant: v1alpha1.Grant{Postgres: &v1alpha1.PostgresGrant{Database: database}},
		})
		return err
	}
	if err := issue("orders"); err != nil {
		t.Error(err)
	}
	if err := issue("payroll"); !errors.Is(err, credential.ErrGrant) {
		t.Errorf("a database that the target does not offer: %v", err)
	}
}
