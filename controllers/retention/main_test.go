package retention

import (
	"os"
	"testing"

	"github.com/sallyport/sallyport/internal/apitest"
)

func TestMain(m *testing.M) { os.Exit(apitest.Main(m)) }
