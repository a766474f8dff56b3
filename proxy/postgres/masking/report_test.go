package masking_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/proxy/postgres/wire"
)

// report is the body of an ErrorResponse: letter and value, one field a string.
func report(fields ...string) []byte {
	var list []wire.ReportField
	for _, field := range fields {
		list = append(list, wire.ReportField{Code: field[0], Value: []byte(field[1:])})
	}
	return wire.AppendReportFields(nil, wire.TypeErrorResponse, list)[wire.HeaderSize:]
}

func TestPG9_AReportThatMayHoldAMaskedValueKeepsOnlyWhatCannot(t *testing.T) {
	t.Parallel()
	m := masks(t, columns(redact, "email"))
	const severity, plain = "SERROR", "VERROR"
	withheld := "Mthe target's message is withheld: it may hold a masked value"
	for _, c := range []struct {
		name     string
		in, want []string
	}{
		{"a key that is there",
			[]string{severity, plain, "C23505", "Mduplicate key value violates unique constraint \"k\"", "DKey (email)=(canary) already exists.", "spublic", "torders", "nk", "Fx.c", "L1", "R_bt_check_unique"},
			[]string{severity, plain, "C23505", withheld, "spublic", "torders", "nk", "Fx.c", "L1", "R_bt_check_unique"}},
		{"a cast at run time",
			[]string{severity, plain, "C22P02", "Minvalid input syntax for type integer: \"canary\"", "Rpg_strtoint32"},
			[]string{severity, plain, "C22P02", withheld, "Rpg_strtoint32"}},
		{"a name that is a value",
			[]string{severity, plain, "C42P01", "Mrelation \"canary\" does not exist", "RRangeVarGetRelidExtended"},
			[]string{severity, plain, "C42P01", withheld, "RRangeVarGetRelidExtended"}},
		{"RAISE",
			[]string{severity, plain, "C23514", "Mcanary", "Dcanary", "Hcanary", "WPL/pgSQL function f() line 1 at RAISE", "ccanary", "tcanary", "Rexec_stmt_raise"},
			[]string{severity, plain, "C23514", withheld, "Rexec_stmt_raise"}},
		{"RAISE under a harmless code",
			[]string{severity, plain, "C57014", "Mcanary", "WPL/pgSQL function f() line 1 at RAISE", "Rexec_stmt_raise"},
			[]string{severity, plain, "C57014", withheld, "Rexec_stmt_raise"}},
		{"a query inside",
			[]string{severity, plain, "C42601", "Msyntax error at or near \"canary\"", "p8", "qSELECT canary", "Rscanner_yyerror"},
			[]string{severity, plain, "C42601", withheld, "Rscanner_yyerror"}},
		{"the client's own text",
			[]string{severity, plain, "C42703", "Mcolumn \"emial\" does not exist", "HPerhaps you meant \"orders.email\".", "P8", "RerrorMissingColumn"}, nil},
		{"a timeout", []string{severity, plain, "C57014", "Mcanceling statement due to statement timeout", "RProcessInterrupts"}, nil},
		{"a failed transaction", []string{severity, plain, "C25P02", "Mcurrent transaction is aborted", "Rexec_simple_query"}, nil},
		{"a field of the future", []string{severity, plain, "C25P02", "Mcurrent transaction is aborted", "Zcanary"},
			[]string{severity, plain, "C25P02", "Mcurrent transaction is aborted"}},
	} {
		out, _, err := m.Report(nil, wire.TypeErrorResponse, report(c.in...), true)
		if err != nil {
			t.Fatal(err)
		}
		fields, err := wire.ReadReportFields(out[wire.HeaderSize:])
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, field := range fields {
			if field.Code == 'H' && strings.Contains(string(field.Value), "The policy masks columns") {
				continue
			}
			got = append(got, string(field.Code)+string(field.Value))
		}
		want := c.want
		if want == nil {
			want = c.in
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	if _, same, err := m.Report(nil, wire.TypeErrorResponse, report(severity, "C22P02", "Mcanary"), false); !same || err != nil {
		t.Errorf("a report about something else: %v, %v", same, err)
	}
}

func TestPG9_DetectorsSeeReportsNotificationsAndParameters(t *testing.T) {
	t.Parallel()
	m := masks(t, detectors(redact, v1alpha1.DetectEmail))
	out, same, err := m.Report(nil, wire.TypeNoticeResponse, report("SNOTICE", "C00000", "Mhello bob@example.com", "Dalso al@example.com"), false)
	if err != nil || same || strings.Contains(string(out), "@") || !strings.Contains(string(out), "hello [redacted]") {
		t.Errorf("%q, %v, %v", out, same, err)
	}
	note := wire.AppendNotification(nil, wire.Notification{ProcessID: 7, Channel: "jobs", Payload: "for bob@example.com"})
	if out, same, err = m.Notification(nil, note[wire.HeaderSize:]); err != nil || same || strings.Contains(string(out), "@") {
		t.Errorf("%q, %v, %v", out, same, err)
	}
	if out, same = m.Parameter(nil, wire.ParameterStatus{Name: "application_name", Value: "bob@example.com"}); same || strings.Contains(string(out), "@") {
		t.Errorf("%q, %v", out, same)
	}
	if _, same = m.Parameter(nil, wire.ParameterStatus{Name: "server_version", Value: "15.1"}); !same {
		t.Error("the server's version was changed")
	}
	if counts := m.Take(); counts["detector email"] != 4 {
		t.Error(counts)
	}
	m = masks(t, columns(redact, "email"))
	if out, same, err = m.Notification(nil, note[wire.HeaderSize:]); err != nil || same || strings.Contains(string(out), "bob") {
		t.Errorf("%q, %v, %v", out, same, err)
	}
}

func TestPG9_WhatTouchesAMaskedColumnIsGuarded(t *testing.T) {
	t.Parallel()
	m := masks(t, columns(redact, "email"))
	for text, want := range map[string]bool{
		"SELECT id FROM orders": true, "SELECT amount FROM orders_2026": true, "SELECT number FROM v": true,
		"UPDATE orders SET id = 1": true, "SELECT 1": false, "SELECT note FROM plain": false,
		"SELECT relname FROM pg_class": false, "SELECT x FROM newer": true, "FROBNICATE": true,
	} {
		if got := m.Touches(read(t, text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if !m.Touches(nil) {
		t.Error("what nothing is known of is not guarded")
	}
}

func FuzzReport(f *testing.F) {
	f.Add(report("SERROR", "C23505", "Mcanary"), true)
	f.Add([]byte("C4"), false)
	spec := columns(redact, "email")
	spec.Detectors = detectors(redact, v1alpha1.DetectEmail).Detectors
	m := masks(f, spec)
	f.Fuzz(func(t *testing.T, body []byte, guarded bool) {
		out, same, err := m.Report(nil, wire.TypeErrorResponse, body, guarded)
		if err != nil || same {
			return
		}
		if _, err := wire.ReadReportFields(out[wire.HeaderSize:]); err != nil {
			t.Fatalf("%q became %q: %v", body, out, err)
		}
	})
}
