package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// people has what never arrives: each masked column holds the canary.
const people = `
	CREATE TABLE people (id int PRIMARY KEY, email text UNIQUE, note text, age int, prefs jsonb);
	INSERT INTO people SELECT i, 'canary@zq.example' || i, 'note ' || i, 20 + i, jsonb_build_object('theme', 'dark') FROM generate_series(1, 3) i;
	CREATE VIEW contacts AS SELECT id AS number, email AS address, note FROM people;
	CREATE TABLE visits (person int, place text);
	INSERT INTO visits VALUES (1, 'Bern'), (2, 'Oslo');
	CREATE TABLE parted (id int, email text) PARTITION BY RANGE (id);
	CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
	INSERT INTO parted VALUES (1, 'canary@zq.example');
	CREATE TABLE later (id int PRIMARY KEY, email text CONSTRAINT one_each UNIQUE DEFERRABLE INITIALLY DEFERRED);
	INSERT INTO later VALUES (1, 'canary@zq.example'), (2, 'other');
	GRANT SELECT, INSERT, UPDATE, DELETE ON people, contacts, visits, parted, parted_1, later TO by_scram;`

var makePeople = sync.OnceValue(func() error { return target.Execute("orders", people) })

// maskedBy is a policy on those relations with these masks.
func maskedBy(t testing.TB, masks v1alpha1.MaskingPolicy) change {
	t.Helper()
	needTarget(t)
	if err := makePeople(); err != nil {
		t.Fatal(err)
	}
	return change{
		policy: func(spec *v1alpha1.AccessPolicySpec) {
			spec.Masking = &masks
			for _, name := range []string{"people", "contacts", "visits", "parted", "parted_1", "later"} {
				spec.Grant.Postgres.Relations = append(spec.Grant.Postgres.Relations, v1alpha1.RelationGrant{
					Schema: "public", Name: name, Privileges: spec.Grant.Postgres.Relations[0].Privileges,
				})
			}
		},
	}
}

// emails masks the column of every relation that has the canary.
func emails(how v1alpha1.Mask) v1alpha1.MaskingPolicy {
	masks := v1alpha1.MaskingPolicy{Inference: v1alpha1.InferenceRefused}
	for _, relation := range []string{"people", "parted", "later"} {
		masks.Columns = append(masks.Columns, v1alpha1.ColumnMask{Schema: "public", Relation: relation, Column: "email", Mask: how})
	}
	return masks
}

var redact = v1alpha1.Mask{How: v1alpha1.MaskRedact}

func full(spec *v1alpha1.AccessPolicySpec) { spec.Recording.Output = v1alpha1.OutputFull }

// answer is all that a client gets: rows as text, and what it is told.
func answer(conn *pgx.Conn, text string, mode pgx.QueryExecMode) (string, error) {
	rows, err := conn.Query(context.Background(), text, mode)
	var out strings.Builder
	if err == nil {
		for rows.Next() {
			values, err := rows.Values()
			if err != nil {
				return out.String(), err
			}
			for i, value := range values {
				if i > 0 {
					out.WriteByte('|')
				}
				if value == nil {
					value = ""
				}
				fmt.Fprint(&out, value)
			}
			out.WriteByte('\n')
		}
		err = rows.Err()
	}
	return out.String(), err
}

// told is an error with all its fields.
func told(err error) string {
	if said, ok := errors.AsType[*pgconn.PgError](err); ok {
		return fmt.Sprintf("%+v", *said)
	}
	return fmt.Sprint(err)
}

var modes = map[string]pgx.QueryExecMode{
	"simple": pgx.QueryExecModeSimpleProtocol, "extended": pgx.QueryExecModeExec, "described": pgx.QueryExecModeDescribeExec,
	"prepared": pgx.QueryExecModeCacheStatement,
}
