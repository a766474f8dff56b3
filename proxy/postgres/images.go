package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/catalog"
)

// Row images are found by PostgreSQL's system columns: a row that the transaction has
// made has its number as xmin, one that it has replaced or deleted has it as xmax, and
// only other sessions still see that. docs/design/0008 says why.

const (
	// imageTimeout bounds each look at a relation, in milliseconds.
	imageTimeout = "2000"
	// imageTime is what one relation may take.
	imageTime = 4 * time.Second
	// maxImage bounds an image, in characters.
	maxImage = 2048
	// maxImageValue bounds a value in it, in bytes.
	maxImageValue = 256
)

// concealed stands where a masked column's value would.
const concealed = "[masked]"

// images adds the rows that the transaction has changed, where one statement named
// their relation and the grant lets the client read it.
func (f *frontend) images(ctx context.Context, held *v1alpha1.HeldOperation) error {
	rows, err := f.ask(f.ctx, "SELECT pg_catalog.text(pg_catalog.pg_current_xact_id_if_assigned())")
	if err != nil || len(rows) != 1 || len(rows[0]) != 1 || rows[0][0] == "" {
		return err
	}
	number, err := strconv.ParseUint(rows[0][0], 10, 64)
	if err != nil {
		return fmt.Errorf("the target's transaction is %q", rows[0][0])
	}
	// Rows keep the number without its epoch.
	xid := strconv.FormatUint(number&0xffffffff, 10)
	for i := range held.Effects {
		effect := &held.Effects[i]
		named := slices.IndexFunc(f.gate.did.named, func(a policy.Access) bool { return a.Schema+"."+a.Name == effect.Relation })
		if named < 0 {
			effect.Note = "no rows shown: no statement named this table alone"
			continue
		}
		if deadline, ok := ctx.Deadline(); ok && within(imageTime).After(deadline) {
			effect.Note = "no rows shown: there was no time left to look for them"
			continue
		}
		relation := f.gate.did.named[named]
		if !f.mayRead(relation) {
			effect.Note = "no rows shown: the grant does not let the task read this table"
			continue
		}
		if err := f.imagesOf(ctx, effect, relation, xid); err != nil {
			return err
		}
	}
	return nil
}

// imagesOf adds rows of one relation; an error is one that ends the transaction.
func (f *frontend) imagesOf(ctx context.Context, effect *v1alpha1.RelationEffect, relation policy.Access, xid string) error {
	table, err := f.table(ctx, relation)
	if err != nil {
		effect.Note = clip("no rows shown: " + f.scan(printable(err.Error())))
		return nil
	}
	most := policy.RowImages(f.gate.spec)
	after, noted, err := f.inSavepoint(ctx, table.changed("xmin", xid, most))
	if err != nil {
		return err
	}
	before, beforeErr := f.observer.inquire(ctx, table.changed("xmax", xid, most))
	switch {
	case noted != nil:
		effect.Note = clip("rows after the change are not shown: " + f.scan(printable(noted.Error())))
	case beforeErr != nil:
		effect.Note = clip("rows before the change are not shown: " + f.scan(printable(beforeErr.Error())))
	default:
		effect.Note = "before are the rows that it changed, deleted or locked"
	}
	effect.Images = table.pair(before, after, most, f.scan)
	return nil
}

// inSavepoint runs a query of ours that must not fail the transaction: what the target
// says against it comes back as noted.
func (f *frontend) inSavepoint(ctx context.Context, query string) (rows [][][]byte, noted, err error) {
	if _, err := f.inquire(f.ctx, "SAVEPOINT "+ownName); err != nil {
		return nil, nil, err
	}
	if _, noted = f.inquire(ctx, "SET LOCAL statement_timeout = "+imageTimeout); noted == nil {
		rows, noted = f.inquire(ctx, query)
	}
	if f.ctx.Err() != nil {
		return nil, nil, noted
	}
	// The setting goes with it.
	if _, err := f.inquire(f.ctx, "ROLLBACK TO SAVEPOINT "+ownName); err != nil {
		return nil, nil, err
	}
	_, err = f.inquire(f.ctx, "RELEASE SAVEPOINT "+ownName)
	return rows, noted, err
}

// mayRead says whether the grant lets the client read the relation.
func (f *frontend) mayRead(relation policy.Access) bool {
	state := f.session.State()
	if state.Grant == nil || state.Grant.Policy.Grant.Postgres == nil {
		return false
	}
	granted := state.Grant.Policy.Grant.Postgres
	return granted.Unrestricted || slices.ContainsFunc(granted.Relations, func(r v1alpha1.RelationGrant) bool {
		return r.Schema == relation.Schema && r.Name == relation.Name && slices.Contains(r.Privileges, v1alpha1.PrivilegeSelect)
	})
}

// table is what an image shows of a relation.
type table struct {
	name string
	// columns that are read, then names of those that are masked.
	columns, masked []string
	// key has the places of the primary key's columns, if all of it is read.
	key []int
}

// table asks for the columns. A masked one is never read.
func (f *frontend) table(ctx context.Context, relation policy.Access) (*table, error) {
	rows, err := f.observer.inquire(ctx, "SELECT a.attname, COALESCE(a.attnum OPERATOR(pg_catalog.=) ANY (i.indkey), false) "+
		"FROM pg_catalog.pg_attribute a "+
		"JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid "+
		"JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace "+
		"LEFT JOIN pg_catalog.pg_index i ON i.indrelid OPERATOR(pg_catalog.=) c.oid AND i.indisprimary "+
		"WHERE n.nspname OPERATOR(pg_catalog.=) $1 AND c.relname OPERATOR(pg_catalog.=) $2 AND c.relkind IN ('r', 'p') "+
		"AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped ORDER BY a.attnum", relation.Schema, relation.Name)
	switch {
	case err != nil:
		return nil, err
	case len(rows) == 0:
		return nil, errors.New("it is no table that another session sees")
	}
	t := &table{name: quoted(relation.Schema) + "." + quoted(relation.Name)}
	family, err := f.family(relation)
	if err != nil {
		return nil, err
	}
	keyed := true
	for _, row := range rows {
		if len(row) != 2 {
			return nil, fmt.Errorf("the target describes a column in %d values", len(row))
		}
		name, inKey := string(row[0]), string(row[1]) == "t"
		if f.isMasked(family, name) {
			t.masked = append(t.masked, name)
			keyed = keyed && !inKey
			continue
		}
		if inKey {
			t.key = append(t.key, len(t.columns))
		}
		t.columns = append(t.columns, name)
	}
	if !keyed {
		t.key = nil
	}
	return t, nil
}

// family is the relation with all that it shares rows with: a mask of one is a mask of
// all.
func (f *frontend) family(relation policy.Access) ([]catalog.Name, error) {
	family := []catalog.Name{{Schema: relation.Schema, Name: relation.Name}}
	if !f.session.Masks().HasColumns() {
		return family, nil
	}
	if f.view.Catalog == nil {
		return nil, errors.New("columns are masked, and the target's catalog is not known")
	}
	known := f.view.Catalog.Resolve(nil, relation.Schema, relation.Name)
	if known == nil {
		return nil, errors.New("columns are masked, and the table is not in the catalog")
	}
	seen := map[uint32]bool{known.OID: true}
	for next := []*catalog.Relation{known}; len(next) > 0; {
		r := next[0]
		next = next[1:]
		family = append(family, r.Name)
		for _, oid := range slices.Concat(r.Parents, r.Children) {
			if related := f.view.Catalog.Relation(oid); related != nil && !seen[oid] {
				seen[oid] = true
				next = append(next, related)
			}
		}
	}
	return family, nil
}

// isMasked says whether a column has a mask, or is generated from one that has.
func (f *frontend) isMasked(family []catalog.Name, column string) bool {
	masks := f.session.Masks()
	if !masks.HasColumns() {
		return false
	}
	named := func(column string) bool {
		return slices.ContainsFunc(family, func(name catalog.Name) bool {
			_, ok := masks.Column(name.Schema, name.Name, column)
			return ok
		})
	}
	return named(column) || slices.ContainsFunc(family, func(name catalog.Name) bool {
		relation := f.view.Catalog.Resolve(nil, name.Schema, name.Name)
		if relation == nil || relation.Column(column) == nil {
			return false
		}
		from := relation.Column(column).From
		return slices.ContainsFunc(relation.Columns, func(c catalog.Column) bool {
			return slices.Contains(from, c.Number) && named(c.Name)
		})
	})
}

// changed asks for the rows of one transaction by a system column.
func (t *table) changed(by, xid string, most int) string {
	columns := make([]string, len(t.columns))
	for i, name := range t.columns {
		columns[i] = quoted(name)
	}
	return fmt.Sprintf("SELECT %s FROM %s WHERE %s OPERATOR(pg_catalog.=) '%s'::pg_catalog.xid LIMIT %d",
		strings.Join(columns, ", "), t.name, by, xid, most)
}

// pair puts rows before and after side by side, by their primary key.
func (t *table) pair(before, after [][][]byte, most int, scan func(string) string) []v1alpha1.RowImage {
	var images []v1alpha1.RowImage
	at := map[string]int{}
	for _, row := range before {
		if key, ok := t.keyOf(row); ok {
			at[key] = len(images)
		}
		images = append(images, v1alpha1.RowImage{Before: t.image(row, scan)})
	}
	for _, row := range after {
		if key, ok := t.keyOf(row); ok {
			if i, known := at[key]; known {
				images[i].After = t.image(row, scan)
				continue
			}
		}
		images = append(images, v1alpha1.RowImage{After: t.image(row, scan)})
	}
	return images[:min(len(images), most)]
}

func (t *table) keyOf(row [][]byte) (string, bool) {
	var key []byte
	for _, i := range t.key {
		if i >= len(row) {
			return "", false
		}
		key = strconv.AppendQuote(key, string(row[i]))
	}
	return string(key), len(t.key) > 0
}

// image is a row as JSON, its values as text.
func (t *table) image(row [][]byte, scan func(string) string) string {
	var b strings.Builder
	b.WriteByte('{')
	add := func(name, value string) {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.WriteString(jsonText(name) + ":" + value)
	}
	for i, name := range t.columns {
		switch {
		case i >= len(row):
		case row[i] == nil:
			add(name, "null")
		default:
			value := scan(string(row[i]))
			if len(value) > maxImageValue {
				value = strings.ToValidUTF8(value[:maxImageValue], "") + "…"
			}
			add(name, jsonText(value))
		}
	}
	for _, name := range t.masked {
		add(name, jsonText(concealed))
	}
	b.WriteByte('}')
	if image := []rune(b.String()); len(image) > maxImage {
		return string(image[:maxImage-1]) + "…"
	}
	return b.String()
}

func jsonText(s string) string {
	out, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(out)
}

// clip keeps a note within what a review stores.
func clip(note string) string { return note[:min(len(note), 512)] }

// quoted is an identifier as SQL writes it.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
