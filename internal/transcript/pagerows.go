package transcript

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sallyport/sallyport/internal/record"
)

func printable(text string) string { return record.Printable(text) }

// cells are texts, each cut to what a page shows of one.
func cells(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = pageCell(text)
	}
	return out
}

func pageCell(text string) string {
	text, cut := clip(text, maxPageCell)
	if cut {
		return printable(text) + "… (cut)"
	}
	return printable(text)
}

// table is rows of an operation, until there are maxPageTable of them.
func (s *pageSession) table(step Step) map[string]any {
	shown := map[string]any{}
	if len(step.Columns) > 0 {
		names := make([]string, len(step.Columns))
		for i, column := range step.Columns {
			names[i] = pageCell(column.Name)
		}
		shown["columns"] = names
	}
	had := s.rows[step.Operation.ID]
	s.rows[step.Operation.ID] = had + len(step.Rows)
	rows, copied := [][]*string{}, []string{}
	for _, row := range step.Rows[:max(0, min(len(step.Rows), maxPageTable-had))] {
		if row.Values == nil {
			copied = append(copied, pageCell(string(row.Copy)))
			continue
		}
		values := make([]*string, len(row.Values))
		for i, raw := range row.Values {
			if text, isNull := value(step.Operation.columns, i, raw); !isNull {
				values[i] = new(pageCell(text))
			}
		}
		rows = append(rows, values)
	}
	shown["rows"], shown["copy"] = rows, copied
	switch {
	case had > maxPageTable && len(step.Columns) == 0:
		return nil
	case had+len(step.Rows) > maxPageTable:
		shown["more"] = fmt.Sprintf("Rows beyond %d are left out of this page; csv counts them, jsonl has them.", maxPageTable)
	}
	return shown
}

func maskLines(counts map[string]int64) []string {
	var out []string
	for _, why := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%d values: %s", counts[why], printable(why)))
	}
	return out
}

// printableStart is what is known of a session, neutralised.
func printableStart(start record.Start) record.Start {
	for _, field := range []*string{
		&start.Session, &start.RequestUID, &start.Request, &start.Namespace, &start.Task, &start.User,
		&start.Proof, &start.Remote, &start.Target, &start.Protocol,
	} {
		*field = record.PrintableLine(*field)
	}
	attributes := map[string]string{}
	for name, text := range start.Attributes {
		attributes[record.PrintableLine(name)] = record.PrintableLine(text)
	}
	start.Attributes = attributes
	return start
}
