package sql_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

func TestTheFormatOfACopyIsReadAsPostgreSQLDoes(t *testing.T) {
	t.Parallel()
	csv := sql.CopyFormat{CSV: true, Delimiter: ',', Quote: '"', Escape: '"'}
	for text, want := range map[string]sql.CopyFormat{
		"COPY orders TO STDOUT":                  {Delimiter: '\t', Quote: '"', Escape: '"', Null: `\N`},
		"COPY orders TO STDOUT BINARY":           {Binary: true, Delimiter: '\t', Quote: '"', Escape: '"', Null: `\N`},
		"COPY (SELECT 1) TO STDOUT (FORMAT csv)": csv,
		"COPY orders TO STDOUT WITH (FORMAT 'CSV', HEADER, DELIMITER ';', QUOTE '''', ESCAPE E'\\\\', NULL 'nil', FORCE_QUOTE *)": {
			CSV: true, Header: true, Delimiter: ';', Quote: '\'', Escape: '\\', Null: "nil"},
		"COPY orders TO STDOUT CSV HEADER":                 {CSV: true, Header: true, Delimiter: ',', Quote: '"', Escape: '"'},
		"COPY orders TO STDOUT (HEADER false, FORMAT csv)": csv,
		"COPY orders TO STDOUT (DELIMITER '|', NULL '')":   {Delimiter: '|', Quote: '"', Escape: '"'},
		"COPY orders TO STDOUT (ENCODING 'utf-8')":         {Delimiter: '\t', Quote: '"', Escape: '"', Null: `\N`},
	} {
		got, err := sql.ReadCopyFormat(text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", text, err, diff)
		}
	}
	for _, text := range []string{
		"COPY orders FROM STDIN", "SELECT 1", "COPY orders TO STDOUT; SELECT 1", "COPY",
		"COPY orders TO STDOUT (ENCODING 'SJIS')", "COPY orders TO STDOUT (FORMAT avro)",
		"COPY orders TO STDOUT (DELIMITER '||')", "COPY orders TO STDOUT (FUTURE on)",
		"COPY orders TO STDOUT (NULL 'a', NULL 'b')", "COPY orders TO STDOUT (HEADER match)",
	} {
		if got, err := sql.ReadCopyFormat(text); err == nil {
			t.Errorf("%s: %+v", text, got)
		}
	}
}
