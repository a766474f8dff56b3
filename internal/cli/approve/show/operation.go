package show

import (
	"fmt"
	"io"
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/cli/review"
	"github.com/sallyport/sallyport/internal/cli/terminal"
	"github.com/sallyport/sallyport/internal/record"
)

// bar stands before every line that the requester wrote, so that none of them reads
// like one of ours.
const bar = "  | "

// operation prints a held operation: what an answer releases, and what is known of it.
func operation(out io.Writer, held *v1alpha1.HeldOperation, grant v1alpha1.Grant) error {
	fmt.Fprintln(out)
	what := "before it runs"
	if held.Point == v1alpha1.HoldAtCommit {
		what = "after the transaction has run, before it counts"
	}
	field(out, "Held", "%s, %s", held.Kind, what)
	field(out, "By rule", "%s", strings.TrimSuffix(held.Rule+": "+held.Message, ": "))
	field(out, "Operation", "%s", held.ID)
	field(out, "SHA-256", "%s", held.Digest)
	fmt.Fprintln(out, "\nText:")
	for line := range strings.Lines(record.Printable(held.Text)) {
		fmt.Fprintln(out, bar+strings.TrimRight(line, "\r\n"))
	}
	if len(held.Values) > 0 {
		fmt.Fprintln(out, "\nValues:")
		for i, value := range held.Values {
			fmt.Fprintf(out, "%s$%d = %s\n", bar, i+1, record.PrintableLine(value))
		}
	}
	impact(out, held, grant.Postgres != nil)
	return effects(out, held.Effects)
}

// impact prints what is known of an operation; of a statement of SQL, that it could not
// be estimated, too.
func impact(out io.Writer, held *v1alpha1.HeldOperation, sql bool) {
	header := "\nImpact:\n"
	line := func(format string, args ...any) {
		fmt.Fprintln(out, header+"  "+record.PrintableLine(fmt.Sprintf(format, args...)))
		header = ""
	}
	if len(held.Writes) > 0 {
		line("writes %s", strings.Join(held.Writes, ", "))
	}
	if len(held.Reads) > 0 {
		line("reads %s", strings.Join(held.Reads, ", "))
	}
	if !held.HasWhere && (held.Kind == "update" || held.Kind == "delete") {
		line("no WHERE: every row")
	}
	if held.Point == v1alpha1.HoldAtStatement {
		switch {
		case held.EstimatedRows != nil:
			line("%s", strings.TrimSuffix(fmt.Sprintf("about %d rows: %s", *held.EstimatedRows, held.Preview), ": "))
		case held.Preview != "":
			line("%s", held.Preview)
		case sql:
			line("preview unavailable")
		}
	}
	for _, warning := range held.Warnings {
		line("! %s", warning)
	}
}

// effects prints what a transaction did, relation by relation, and the rows that are
// shown of it.
func effects(out io.Writer, effects []v1alpha1.RelationEffect) error {
	if len(effects) == 0 {
		return nil
	}
	fmt.Fprintln(out, "\nEffects:")
	table := terminal.NewTable(out, "  RELATION", "INSERTED", "UPDATED", "DELETED", "NOTE")
	for _, e := range effects {
		table.Row("  "+e.Relation, fmt.Sprint(e.Inserted), fmt.Sprint(e.Updated), fmt.Sprint(e.Deleted), e.Note)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, e := range effects {
		if len(e.Images) == 0 {
			continue
		}
		fmt.Fprintf(out, "\nRows of %s (%s):\n", record.PrintableLine(e.Relation), review.Changes(e))
		rows := terminal.NewTable(out, bar+"BEFORE", "AFTER")
		for _, image := range e.Images {
			rows.Row(bar+orNone(image.Before), orNone(image.After))
		}
		if err := rows.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func orNone(row string) string {
	if row == "" {
		return "(none)"
	}
	return row
}
