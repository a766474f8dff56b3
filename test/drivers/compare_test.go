package drivers

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// difference is a test that goes otherwise through the proxy: "pass>fail".
type difference struct{ test, change string }

func (d difference) String() string { return d.test + " | " + d.change }

// compare lists what differs. A test of which a part differs is left out: the part
// says it.
func compare(direct, proxied outcomes) []difference {
	all := maps.Clone(direct)
	maps.Copy(all, proxied)
	changed := map[string]string{}
	for test := range all {
		before, after := direct[test], proxied[test]
		if before == "" {
			before = "missing"
		}
		if after == "" {
			after = "missing"
		}
		if before != after {
			changed[test] = before + ">" + after
		}
	}
	var list []difference
	for test, change := range changed {
		if !partOf(changed, test) {
			list = append(list, difference{test, change})
		}
	}
	slices.SortFunc(list, func(a, b difference) int { return strings.Compare(a.test, b.test) })
	return list
}

func partOf(changed map[string]string, test string) bool {
	for other := range changed {
		if strings.HasPrefix(other, test+"/") {
			return true
		}
	}
	return false
}

// expected is a line of testdata: where it holds, the difference, and why it is meant.
type expected struct {
	labels []string
	difference
	reason string
}

// holds says whether the line is of this run: all its labels are the run's, and the
// run has its test.
func (e expected) holds(r trial) bool {
	for _, label := range e.labels {
		if !slices.Contains(r.labels(), label) {
			return false
		}
	}
	name, test, within := strings.Cut(e.test, " ")
	if !within {
		name, test = "", e.test
	}
	test, _, _ = strings.Cut(test, "/")
	return slices.Contains(r.packages, name) && r.chooses(test)
}

// expectations reads testdata: lines of "labels | test | change | reason", labels
// being "any", or versions and modes that all must match.
func expectations(t testing.TB, name string) []expected {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	var list []expected
	for number, line := range strings.Split(string(content), "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.SplitN(line, " | ", 4)
		if len(fields) != 4 || fields[3] == "" {
			t.Fatalf("testdata/%s.txt:%d: want labels | test | change | reason", name, number+1)
		}
		labels := strings.Fields(fields[0])
		if fields[0] == "any" {
			labels = nil
		}
		list = append(list, expected{labels, difference{fields[1], fields[2]}, fields[3]})
	}
	return list
}

// judge fails on differences that nobody explained, and on explanations of none.
func judge(t testing.TB, r trial, found []difference, words map[string]string) {
	t.Helper()
	var meant []difference
	for _, line := range expectations(t, r.name) {
		if !line.holds(r) {
			continue
		}
		meant = append(meant, line.difference)
		if !slices.Contains(found, line.difference) {
			t.Errorf("testdata/%s.txt explains a difference that is gone: %s", r.name, line.difference)
		}
	}
	for _, d := range found {
		if !slices.Contains(meant, d) {
			t.Errorf("through the proxy it goes otherwise: %s\n%s", d, words[d.test])
		}
	}
}

// count is "passed / failed / skipped", as the table of docs/drivers.md has it.
func (o outcomes) count() string {
	n := map[string]int{}
	for _, outcome := range o {
		n[outcome]++
	}
	return fmt.Sprintf("%d / %d / %d", n["pass"], n["fail"], n["skip"])
}

func TestDifferencesAreComparedByTheirParts(t *testing.T) {
	t.Parallel()
	got := compare(
		outcomes{"A": "pass", "A/x": "pass", "A/y": "pass", "B": "pass", "C": "skip"},
		outcomes{"A": "fail", "A/x": "fail", "A/y": "pass", "B": "pass", "D": "pass"})
	if want := "[A/x | pass>fail C | skip>missing D | missing>pass]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
