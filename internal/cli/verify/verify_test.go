package verify_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/cli/verify"
	"github.com/sallyport/sallyport/internal/record"
)

func TestREC2_AVerdictSaysWhatWasShown(t *testing.T) {
	t.Parallel()
	var data bytes.Buffer
	now := func() time.Time { return time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC) }
	w, err := record.NewFileWriter(&data, record.Start{Session: "0195", RequestUID: "6f1f", User: "bob"}, now)
	if err != nil {
		t.Fatal(err)
	}
	running := bytes.Clone(data.Bytes())
	head, err := w.Append(record.Event{Type: record.EventEnd, End: &record.End{Reason: "the client left"}})
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(data.Bytes(), []byte("bob"), []byte("eve"), 1)

	for name, test := range map[string]struct {
		data   []byte
		expect record.Expectation
		fails  bool
		says   []string
	}{
		"whole":         {data.Bytes(), record.Expectation{Head: &head}, false, []string{"OK", "2 events", "bob", "agrees", head.Hash}},
		"without head":  {data.Bytes(), record.Expectation{}, false, []string{"OK", "no reported head"}},
		"running":       {running, record.Expectation{}, true, []string{"INCOMPLETE", "1 events"}},
		"cut":           {running, record.Expectation{Head: &head}, true, []string{"FAILED", "lost or removed"}},
		"changed":       {changed, record.Expectation{}, true, []string{"FAILED", "line 2"}},
		"another's":     {data.Bytes(), record.Expectation{RequestUID: "another"}, true, []string{"FAILED", "request 6f1f"}},
		"nothing":       {nil, record.Expectation{Session: "0195"}, true, []string{"0195", "INCOMPLETE"}},
		"not recording": {[]byte("\x1b[2Jhello\n"), record.Expectation{}, true, []string{"FAILED", "no header"}},
	} {
		var out bytes.Buffer
		if err := verify.Run(&out, bytes.NewReader(test.data), test.expect); (err != nil) != test.fails {
			t.Errorf("%s: %v", name, err)
		}
		for _, word := range test.says {
			if !strings.Contains(out.String(), word) {
				t.Errorf("%s does not say %q: %s", name, word, out.String())
			}
		}
	}
}
