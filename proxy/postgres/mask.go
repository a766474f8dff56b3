package postgres

import (
	"fmt"
	"slices"

	"github.com/sallyport/sallyport/proxy/postgres/masking"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// kindCopyOut is the action of a COPY whose data go to the client.
const kindCopyOut = "copy-to"

// masked is how the backend masks what the target says.
type masked struct {
	*masking.Masks
	// limit of a message, in bytes.
	limit int64
	// plan of the result whose rows come, copy of the COPY whose data come; nil while
	// none do.
	plan    *masking.Plan
	copy    *masking.CopyPlan
	cursors cursors
	// guarded says that a statement of the transaction has come by a masked column:
	// what is deferred may speak of it later.
	guarded bool
}

// newMasked is nil where nothing is masked.
func newMasked(r *relay, limit int64) *masked {
	masks := masking.New(r.masks)
	if masks == nil {
		return nil
	}
	return &masked{Masks: masks, limit: limit, cursors: cursors{}}
}

// reading is what is known of the statement that a step runs: behind a FETCH the
// cursor's, behind an EXECUTE the one prepared. Nil is nothing. Callers hold the pipeline's lock.
func (m *masked) reading(s *step, p *pipeline) *sql.Statement {
	switch {
	case s.portal != nil:
		return m.within(s.portal, p)
	case s.ran < len(s.readings):
		return m.behind(s.readings[s.ran], p)
	}
	return nil
}

func (m *masked) behind(reading *sql.Statement, p *pipeline) *sql.Statement {
	switch {
	case reading == nil:
		return nil
	case fetches(reading):
		return m.cursors.statement(m.cursors[reading.Node])
	case reading.Action.Kind == kindExecute:
		if prepared := p.statements[reading.Node]; prepared != nil {
			return prepared.reading
		}
		return nil
	}
	return reading
}

// within is what is known of a portal's statement.
func (m *masked) within(bound *portal, p *pipeline) *sql.Statement {
	if bound.cursor != nil {
		return m.cursors.statement(bound.cursor)
	}
	return m.behind(bound.reading, p)
}

// result plans the rows of a step's statement. Callers hold the pipeline's lock.
func (m *masked) result(columns []wire.Column, s *step, p *pipeline) {
	m.Follow(s.catalog)
	m.plan = m.Result(columns, m.reading(s, p))
}

// copyOut plans the data of a step's COPY. Callers hold the pipeline's lock.
func (m *masked) copyOut(response wire.CopyResponse, s *step, p *pipeline) error {
	m.Follow(s.catalog)
	if s.ran >= len(s.formats) || s.formats[s.ran] == nil {
		return broken("a COPY that nobody asked for")
	}
	var err error
	m.copy, err = m.Copy(response, *s.formats[s.ran], m.reading(s, p), m.limit)
	return err
}

// ran follows a statement that has ended well. Callers hold the pipeline's lock.
func (m *masked) ran(s *step, p *pipeline, tag string) {
	m.settle()
	if !m.HasColumns() {
		return
	}
	m.Follow(s.catalog)
	known := m.reading(s, p)
	m.guarded = m.guarded || m.Touches(known)
	if known == nil || s.ran >= len(s.readings) || tag == "COMMIT" || tag == "ROLLBACK" {
		clear(m.cursors)
		return
	}
	m.cursors.follow(s.readings[s.ran], known)
}

// settle ends what is planned.
func (m *masked) settle() {
	if m.plan != nil {
		m.plan.Settle()
	}
	if m.copy != nil {
		m.copy.Settle()
	}
	m.plan, m.copy = nil, nil
}

// ready follows the end of a segment.
func (m *masked) ready(status byte) {
	m.settle()
	if status == wire.StatusIdle {
		m.guarded = false
		clear(m.cursors)
	}
}

// guards says whether what the target says now may hold a masked value: about a step,
// or about nothing that was asked. Callers hold the pipeline's lock.
func (m *masked) guards(s *step, p *pipeline) bool {
	if !m.HasColumns() {
		return false
	}
	if s == nil || m.guarded {
		return true
	}
	m.Follow(s.catalog)
	switch {
	case s.kind == stepSync:
		return false
	case s.statement != nil:
		return m.Touches(m.behind(s.statement.reading, p))
	case s.portal != nil:
		return m.Touches(m.within(s.portal, p))
	}
	return len(s.readings) == 0 || slices.ContainsFunc(s.readings, func(r *sql.Statement) bool { return m.Touches(m.behind(r, p)) })
}

// works says whether a row, or data of a COPY, may change.
func (m *masked) works(frame wire.Frame) (bool, error) {
	switch {
	case m == nil:
		return false, nil
	case frame.Type == wire.TypeDataRow && m.plan != nil:
		return m.plan.Works(), nil
	case frame.Type == wire.TypeCopyData && m.copy != nil:
		return m.copy.Works(), nil
	}
	return false, broken("rows without a description")
}

// row appends a row, or data of a COPY, as the client gets it.
func (m *masked) row(dst []byte, frame wire.Frame) ([]byte, error) {
	if frame.Type == wire.TypeDataRow {
		return m.plan.Row(dst, frame.Raw)
	}
	return m.copy.Data(dst, frame.Body())
}

// copyFormat is that of a COPY to the client, for its masks; nil for other statements. The error refuses one whose data cannot be read.
func (f *frontend) copyFormat(reading *sql.Statement, text string) (*sql.CopyFormat, error) {
	if f.masks == nil || reading.Action.Kind != kindCopyOut {
		return nil, nil
	}
	if reading.Begin < reading.End && reading.End <= len(text) {
		text = text[reading.Begin:reading.End]
	}
	format, err := sql.ReadCopyFormat(text)
	if err != nil {
		return nil, &fault{code: codeNotSupported, message: fmt.Sprintf("COPY TO with masks: %v", err),
			hint: "The policy masks values, and this COPY's data could not be read. Use the options of PostgreSQL's own formats."}
	}
	return &format, nil
}

// formats of the one operation.
func (p *portal) formats() []*sql.CopyFormat { return p.one.formats[:] }

// shape asks for the columns of a portal before it runs: masks and recording need their formats.
func (f *frontend) shape(portal string, bound *portal) error {
	if !f.shaped {
		return nil
	}
	return f.forward(&step{kind: stepShape, portal: bound, readings: bound.readings()},
		wire.AppendDescribe(nil, wire.Target{Object: wire.ObjectPortal, Name: portal}))
}

// report masks an ErrorResponse or NoticeResponse; nil is one that stays as it is.
func (m *masked) report(frame wire.Frame, guarded bool) ([]byte, error) {
	out, same, err := m.Report(nil, frame.Type, frame.Body(), guarded)
	if same || err != nil {
		return nil, err
	}
	return slices.Clip(out), nil
}
