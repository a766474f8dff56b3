package sql_test

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

func TestNoPasswordIsLeftInAScrubbedText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"CREATE ROLE bob LOGIN PASSWORD 's3cret' VALID UNTIL 'x'":                    "CREATE ROLE bob LOGIN PASSWORD '***' VALID UNTIL 'x'",
		"alter user bob encrypted password E's3\\'cret'":                             "alter user bob encrypted password '***'",
		"ALTER ROLE bob PASSWORD /* x */ $$s3cret$$; SELECT 'kept'":                  "ALTER ROLE bob PASSWORD /* x */ '***'; SELECT 'kept'",
		"CREATE USER MAPPING FOR bob SERVER s OPTIONS (password 's3cret', user 'x')": "CREATE USER MAPPING FOR bob SERVER s OPTIONS (password '***', user 'x')",
		"CREATE SUBSCRIPTION s CONNECTION 'host=h password=s3cret' PUBLICATION p":    "CREATE SUBSCRIPTION s CONNECTION '***' PUBLICATION p",
		"SELECT * FROM dblink('host=h password=s3cret', 'SELECT 1')":                 "SELECT * FROM dblink('***', 'SELECT 1')",
		"DO $a$ BEGIN CREATE ROLE x PASSWORD 's3cret'; END $a$":                      "DO $a$ BEGIN CREATE ROLE x PASSWORD '***'; END $a$",
		"DO 'BEGIN CREATE ROLE x PASSWORD ''s3cret''; END'":                          "DO '***'",
		"ALTER ROLE bob PASSWORD 's3cret":                                            "ALTER ROLE bob ***",
		"SELECT password FROM users WHERE note = 'forgot my password'":               "SELECT password FROM users WHERE note = 'forgot my password'",
		"UPDATE users SET password = 's3cret' WHERE id = 1":                          "UPDATE users SET password = '***' WHERE id = 1",
		"SELECT 1": "SELECT 1",
	} {
		if got := sql.Scrub(text); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	if got := sql.Scrub("ALTER ROLE bob PASSWORD '\xff s3cret'"); strings.Contains(got, "s3cret") {
		t.Errorf("not UTF-8: %q", got)
	}
}
