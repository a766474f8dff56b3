package drivers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/pgtest"
)

// driverJar is where Debian's libpostgresql-jdbc-java puts the driver.
const driverJar = "/usr/share/java/postgresql.jar"

// A Java runtime is too large for every run of the tests: hack/test-drivers.sh
// installs it and asks for this one.
func TestPG6_AJDBCClientGetsTheSameAnswersAsDirectly(t *testing.T) {
	if !*runAll {
		t.Log("not part of the short run: hack/test-drivers.sh runs it")
		return
	}
	_, missing := os.Stat(driverJar)
	if _, err := exec.LookPath("javac"); errors.Join(err, missing) != nil {
		t.Fatalf("a JDK and the driver are missing (%v): hack/test-drivers.sh installs them", errors.Join(err, missing))
	}
	for _, version := range pgtest.Versions() {
		t.Run(fmt.Sprintf("PostgreSQL %d", version), func(t *testing.T) {
			target := shop(t, version)
			want := jdbc(t, direct(t, target, "shop", "shopkeeper"))
			if strings.Count(want, "\n") != 31 || !strings.Contains(want, "simple cancel 57014") {
				t.Fatalf("directly: %s", want)
			}
			p := proxied(t, target, "shop", "shopkeeper", front{})
			der := filepath.Join(t.TempDir(), "client.pk8") // The driver reads keys in DER only.
			if out, err := run(t, patience, nil, "openssl", "pkcs8", "-topk8", "-nocrypt", "-in", p.key, "-outform", "DER", "-out", der); err != nil {
				t.Fatal(err, out)
			}
			p.key = der
			if got := jdbc(t, p); got != want {
				t.Errorf("through the proxy:\n%s\ndirectly:\n%s", got, want)
			}
		})
	}
}

func jdbc(t testing.TB, p place) string {
	t.Helper()
	url := fmt.Sprintf("jdbc:postgresql://%s:%d/%s?user=%s&sslmode=verify-full&sslrootcert=%s", p.host, p.port, p.database, p.user, p.ca)
	if p.key != "" {
		url += "&sslcert=" + p.certificate + "&sslkey=" + p.key
	} else {
		url += "&password=" + password
	}
	out, err := run(t, patience, nil, "java", "-cp", driverJar, "testdata/Jdbc.java", url)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return out
}
