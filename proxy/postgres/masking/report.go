package masking

import (
	"github.com/sallyport/sallyport/internal/mask"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// Letters of a report's fields.
const (
	fieldSeverity       = 'S'
	fieldPlainSeverity  = 'V'
	fieldCode           = 'C'
	fieldMessage        = 'M'
	fieldPosition       = 'P'
	fieldInnerPosition  = 'p'
	fieldInnerQuery     = 'q'
	fieldWhere          = 'W'
	fieldSchema         = 's'
	fieldTable          = 't'
	fieldColumn         = 'c'
	fieldType           = 'd'
	fieldConstraint     = 'n'
	fieldFile           = 'F'
	fieldLine           = 'L'
	fieldRoutine        = 'R'
	fieldHint           = 'H'
	classSyntax         = "42"
	classConstraint     = "23"
	classTransaction    = "25"
	classShutdown       = "57P"
	codePermission      = "42501"
	codeSerialization   = "40001"
	codeDeadlock        = "40P01"
	codeLockUnavailable = "55P03"
	codeCancelled       = "57014"
)

// withheld stands in place of a report's text.
const (
	withheld     = "the target's message is withheld: it may hold a masked value"
	withheldHint = "The policy masks columns of a relation that is involved. The SQLSTATE and the names of relation and constraint are the target's own."
)

// Report appends what takes an ErrorResponse's or NoticeResponse's place, by its type.
// guarded says that it may hold a value of a masked column: then of its texts only
// those pass that PostgreSQL itself makes of nothing but the client's own text and
// names of objects. Detectors see all that passes. same says that it stays as it is.
func (m *Masks) Report(dst []byte, messageType byte, body []byte, guarded bool) (out []byte, same bool, err error) {
	fields, err := wire.ReadReportFields(body)
	if err != nil {
		return dst, false, err
	}
	if guarded {
		fields = m.guard(fields)
	}
	changed := guarded
	for i, field := range fields {
		switch field.Code {
		case fieldSeverity, fieldPlainSeverity, fieldCode, fieldPosition, fieldInnerPosition, fieldLine:
			continue
		}
		if m.crowded(field.Value) {
			m.counts["crowded value"]++
			fields[i].Value, changed = []byte(mask.Redacted), true
			continue
		}
		if m.set.Detects() && m.finds(field.Value) {
			fields[i].Value, changed = m.set.Scan(nil, field.Value, m.counts), true
		}
	}
	if !changed {
		return dst, true, nil
	}
	return wire.AppendReportFields(dst, messageType, fields), false, nil
}

// guard withholds what may hold a value.
func (m *Masks) guard(fields []wire.ReportField) []wire.ReportField {
	var kept []wire.ReportField
	said := map[byte]string{}
	for _, field := range fields {
		said[field.Code] = string(field.Value)
	}
	analysis, plain, names := passes(said)
	hidden := false
	for _, field := range fields {
		switch field.Code {
		case fieldSeverity, fieldPlainSeverity, fieldCode, fieldPosition, fieldFile, fieldLine, fieldRoutine:
			kept = append(kept, field)
		case fieldSchema, fieldTable, fieldColumn, fieldType, fieldConstraint:
			if names {
				kept = append(kept, field)
			}
		case fieldMessage:
			if !analysis && !plain {
				hidden = true
				field.Value = []byte(withheld)
			}
			kept = append(kept, field)
		default:
			if analysis {
				kept = append(kept, field)
			} else {
				hidden = true
			}
		}
	}
	if hidden {
		m.counts["report"]++
		if !plain {
			kept = append(kept, wire.ReportField{Code: fieldHint, Value: []byte(withheldHint)})
		}
	}
	return kept
}

// passes says what of a report can hold no value of a row.
//
// analysis: an error in the client's own text, found before any row is read. Only
// parse analysis has a position in that text; what functions run has one in an inner
// query. (A cast at run time, 'x'::regclass, is of the same class, without position.)
//
// plain: the message alone, of codes whose messages name objects at most, when no
// function has raised them (PL/pgSQL's RAISE takes any code, and has a context).
//
// names: those of relation and constraint, which RAISE can set, too.
func passes(said map[byte]string) (analysis, plain, names bool) {
	code := said[fieldCode]
	if len(code) != 5 || said[fieldWhere] != "" || said[fieldInnerQuery] != "" {
		return false, false, code[:min(2, len(code))] == classConstraint && said[fieldRoutine] != "exec_stmt_raise"
	}
	class := code[:2]
	analysis = class == classSyntax && said[fieldPosition] != ""
	switch code {
	case codePermission, codeSerialization, codeDeadlock, codeLockUnavailable, codeCancelled:
		plain = true
	}
	return analysis, plain || class == classTransaction || code[:3] == classShutdown, class == classConstraint
}

// Notification masks what a NOTIFY says: with masked columns all of it, since anybody
// may have put a value there.
func (m *Masks) Notification(dst []byte, body []byte) (out []byte, same bool, err error) {
	n, err := wire.ReadNotification(body)
	if err != nil {
		return dst, false, err
	}
	switch payload := []byte(n.Payload); {
	case n.Payload == "":
		return dst, true, nil
	case m.set.HasColumns():
		m.counts["notification"]++
		n.Payload = "[withheld]"
	case m.finds(payload):
		n.Payload = string(m.set.Scan(nil, payload, m.counts))
	default:
		return dst, true, nil
	}
	return wire.AppendNotification(dst, n), false, nil
}

// Parameter masks what detectors find in a setting that holds a client's words.
func (m *Masks) Parameter(dst []byte, p wire.ParameterStatus) (out []byte, same bool) {
	switch p.Name {
	case "client_encoding", "server_encoding", "server_version", "standard_conforming_strings", "integer_datetimes",
		"DateStyle", "IntervalStyle", "TimeZone", "is_superuser", "in_hot_standby", "default_transaction_read_only":
		return dst, true
	}
	if !m.finds([]byte(p.Value)) {
		return dst, true
	}
	p.Value = string(m.set.Scan(nil, []byte(p.Value), m.counts))
	return wire.AppendParameterStatus(dst, p), false
}
