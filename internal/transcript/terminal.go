package transcript

import "github.com/sallyport/sallyport/internal/record"

// terminal is what a terminal was sent, or its new size.
func (r *Reader) terminal(t *record.Terminal) {
	o := r.operation(t.Operation)
	if t.Kind == "resize" {
		r.add(Step{Kind: Resized, Operation: o, Width: t.Cols, Height: t.Rows})
		return
	}
	r.add(Step{Kind: Screen, Operation: o, Output: t.Data})
}
