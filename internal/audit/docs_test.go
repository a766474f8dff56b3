package audit_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/apitest"
	"github.com/sallyport/sallyport/internal/audit"
)

// schema is the promise of docs/audit.md.
var schema = map[audit.Type]any{
	audit.RequestCreated: audit.Created{}, audit.RequestMatched: audit.Matched{}, audit.RequestRefused: audit.Refused{},
	audit.RequestEnded: audit.Ended{}, audit.RequestDeleted: audit.Deleted{},
	audit.ReviewOpened: audit.Opened{}, audit.ReviewDecision: audit.Decision{}, audit.ReviewApproved: audit.Outcome{},
	audit.GrantIssued: audit.Grant{}, audit.GrantCertified: audit.Certified{}, audit.GrantRevoked: audit.Revoked{}, audit.ProxyReady: audit.Proxy{}, audit.ProxyIsolated: audit.Proxy{},
	audit.SessionBegun: audit.Session{}, audit.SessionEnded: audit.Session{},
	audit.OperationDenied: audit.Operation{}, audit.OperationHeld: audit.Operation{},
	audit.RecordingSealed: audit.Recording{}, audit.RecordingLost: audit.Lost{}, audit.RecordingRead: audit.Read{},
	audit.RecordingRemoved: audit.Removed{}, audit.RecordingHoldSet: audit.Hold{},
	audit.TeardownProved: audit.Teardown{}, audit.StreamDropped: audit.Dropped{}, audit.StreamUndeliverable: audit.Undeliverable{},
}

// TestThePageNamesEveryTypeAndField reads the table of docs/audit.md. A field may be
// named in any row that has a type with it.
func TestThePageNamesEveryTypeAndField(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(apitest.Root("docs", "audit.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "## Types")
	table, _, _ = strings.Cut(table, "## Delivery")
	source, err := os.ReadFile("types.go")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(source)) {
		if _, after, ok := strings.Cut(line, `"dev.sallyport.`); ok {
			name, _, _ := strings.Cut(after, `"`)
			if !strings.Contains(table, "`"+name+"`") {
				t.Errorf("the page does not name %s", name)
			}
		}
	}
	for kind, data := range schema {
		for field := range reflect.TypeOf(data).Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if !strings.Contains(table, "`"+name+"`") {
				t.Errorf("the page does not name %s of %s", name, kind)
			}
		}
	}
}
