// Package terminal writes for people: tables and progress, in which text that
// others wrote cannot act on the terminal.
package terminal

import (
	"io"
	"strings"

	"k8s.io/cli-runtime/pkg/printers"

	"github.com/sallyport/sallyport/internal/record"
)

// Table writes rows in kubectl's columns. Cells are made safe here, so that no
// printer of this project can forget it.
type Table struct {
	out     io.Writer
	headers []string
	rows    [][]string
}

// NewTable starts a table with its headers; none are printed if there are none.
func NewTable(out io.Writer, headers ...string) *Table {
	return &Table{out: out, headers: headers}
}

// Row adds a row. An empty cell is shown as kubectl does.
func (t *Table) Row(cells ...string) { t.rows = append(t.rows, cells) }

// Flush writes what was added since the last Flush; headers only once.
func (t *Table) Flush() error {
	w := printers.GetNewTabWriter(t.out)
	if len(t.headers) > 0 {
		if _, err := io.WriteString(w, strings.Join(t.headers, "\t")+"\n"); err != nil {
			return err
		}
		t.headers = nil
	}
	for _, row := range t.rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cells[i] = record.PrintableLine(cell); cells[i] == "" {
				cells[i] = "<none>"
			}
		}
		if _, err := io.WriteString(w, strings.Join(cells, "\t")+"\n"); err != nil {
			return err
		}
	}
	t.rows = nil
	return w.Flush()
}
