package replay

import (
	"encoding/hex"
	"strings"

	"github.com/sallyport/sallyport/internal/record"
)

// output is what has been read of an operation's rows.
type output struct {
	rows    record.Rows
	columns []record.Column
	// unreadable says that its rows are not what they should be.
	unreadable bool
}

// output prints the rows of a block, values apart by bars.
func (p *text) output(o *record.Output) {
	known := p.outputs[o.Operation]
	if known == nil {
		if len(p.outputs) >= maxOutputs {
			// Of a recording that no proxy writes: results come after their rows.
			clear(p.outputs)
			p.room = &record.Room{}
		}
		known = &output{rows: record.Rows{Room: p.room}}
		p.outputs[o.Operation] = known
	}
	if len(o.Columns) > 0 {
		known.columns = o.Columns
		names := make([]string, len(o.Columns))
		for i, column := range o.Columns {
			names[i] = line(column.Name)
		}
		p.printf("%s%s columns: %s\n", fact, number(o.Operation), strings.Join(names, " | "))
	}
	if known.unreadable {
		return
	}
	rows, err := known.rows.Add(*o)
	for _, row := range rows {
		p.printf("%s%s\n", rowOf, known.text(row))
	}
	if err != nil {
		known.unreadable = true
		p.printf("%s%s the rows cannot be read: %s\n", fact, number(o.Operation), line(err.Error()))
	}
}

func (o *output) text(row record.Row) string {
	if row.Values == nil {
		return line(string(row.Copy))
	}
	values := make([]string, len(row.Values))
	for i, value := range row.Values {
		switch {
		case value == nil:
			values[i] = "NULL"
		case i < len(o.columns) && o.columns[i].Binary:
			values[i] = `\x` + hex.EncodeToString(value)
		default:
			values[i] = line(string(value))
		}
	}
	return strings.Join(values, " | ")
}
