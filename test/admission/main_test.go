// Package admission_test tries every admission policy and every branch of it against a
// real API server, as the people and components that would be there.
package admission_test

import (
	"os"
	"testing"

	"github.com/sallyport/sallyport/internal/apitest"
)

func TestMain(m *testing.M) { os.Exit(apitest.Main(m)) }
