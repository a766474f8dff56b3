package sql_test

import (
	"testing"

	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

func TestAStatementKnowsItsBytesInTheText(t *testing.T) {
	t.Parallel()
	text := " SELECT 'é;' ;\n ;UPDATE t SET a = 1; -- end\n COMMIT \n"
	want := []string{"SELECT 'é;'", "UPDATE t SET a = 1", "-- end\n COMMIT"}
	got := sql.Read(text, sql.Session{})
	if len(got) != len(want) {
		t.Fatalf("%d statements, want %d", len(got), len(want))
	}
	for i, s := range got {
		if part := text[s.Begin:s.End]; part != want[i] {
			t.Errorf("statement %d is %q, want %q", i, part, want[i])
		}
	}
}

func TestASyntaxErrorHasItsPositionInCharacters(t *testing.T) {
	t.Parallel()
	got := sql.Read("SELECT 'é' FORM t t", sql.Session{})
	if len(got) != 1 || got[0].Position != 17 || got[0].SyntaxError != `syntax error at or near "t"` || got[0].Action.Unknown == "" {
		t.Errorf("got %+v", got)
	}
}
