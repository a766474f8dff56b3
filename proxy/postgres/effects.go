package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
)

// counters of one relation: rows inserted, updated and deleted.
type counters [3]int64

// counters are those of the transaction so far, by schema.name. What earlier
// transactions did may still be in them: PostgreSQL hands them on once a second.
func (f *frontend) counters() (map[string]counters, error) {
	rows, err := f.ask(f.ctx, "SELECT schemaname, relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_catalog.pg_stat_xact_user_tables "+
		"WHERE n_tup_ins OPERATOR(pg_catalog.>) 0 OR n_tup_upd OPERATOR(pg_catalog.>) 0 OR n_tup_del OPERATOR(pg_catalog.>) 0")
	if err != nil {
		return nil, err
	}
	all := make(map[string]counters, len(rows))
	for _, row := range rows {
		if len(row) != 5 {
			return nil, fmt.Errorf("the target counts changes in %d columns", len(row))
		}
		// Two relations may read alike: a dot is a letter in a quoted name.
		name := row[0] + "." + row[1]
		sum := all[name]
		for i := range sum {
			n, err := strconv.ParseInt(row[2+i], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("the target counts changes as %q", row[2+i])
			}
			sum[i] += n
		}
		all[name] = sum
	}
	return all, nil
}

// describeEffects says what the transaction has done, and what of it cannot be told.
func (f *frontend) describeEffects(ctx context.Context, held *v1alpha1.HeldOperation) error {
	now, err := f.counters()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		before, after := f.gate.baseline[name], now[name]
		effect := v1alpha1.RelationEffect{
			Relation: name, Inserted: after[0] - before[0], Updated: after[1] - before[1], Deleted: after[2] - before[2],
		}
		if effect.Inserted > 0 || effect.Updated > 0 || effect.Deleted > 0 {
			held.Effects = append(held.Effects, effect)
		}
	}
	f.gate.did.warn(held)
	if policy.RowImages(f.gate.spec) > 0 {
		return f.images(ctx, held)
	}
	return nil
}

// warn says what the counts do not cover.
func (d *deeds) warn(held *v1alpha1.HeldOperation) {
	warnings := []string{"its locks are held until the answer",
		"not covered: sequences, large objects, notifications, foreign tables, constraints and triggers that are deferred to COMMIT, and what cursors WITH HOLD still run then; what triggers and cascades changed is counted, not explained"}
	if d.savepoints {
		warnings = append(warnings, "it used savepoints: rows that it has rolled back itself are counted too, and rows changed within one have no image")
	}
	if d.copies {
		warnings = append(warnings, "rows of COPY are counted; they have no images unless another statement changed the table too")
	}
	if len(d.others) > 0 {
		warnings = append(warnings, "it also ran, uncounted: "+strings.Join(d.others, ", "))
	}
	held.Warnings = append(held.Warnings, warnings...)
}
