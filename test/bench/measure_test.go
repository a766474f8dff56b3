package bench

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Measure is one duration over all tasks.
type Measure struct {
	Name string
	// Goal is what a percentile is to stay under; none when zero.
	Goal       time.Duration
	Percentile int

	samples []time.Duration
}

// Add takes a sample.
func (m *Measure) Add(d time.Duration) { m.samples = append(m.samples, d) }

// At is a percentile by nearest rank: of 30 samples the 99th is the greatest.
func (m *Measure) At(percentile int) time.Duration {
	sorted := slices.Sorted(slices.Values(m.samples))
	return sorted[(len(sorted)*percentile+99)/100-1]
}

func (m *Measure) unit() string {
	return strings.NewReplacer(" → ", "-to-", " ", "-").Replace(m.Name)
}

func (m *Measure) verdict() string {
	switch {
	case m.Goal == 0:
		return ""
	case m.At(m.Percentile) < m.Goal:
		return fmt.Sprintf("p%d under %v: met", m.Percentile, m.Goal)
	}
	return fmt.Sprintf("p%d under %v: MISSED", m.Percentile, m.Goal)
}

// row is a measure in JSON, in milliseconds.
type row struct {
	Name    string  `json:"name"`
	Tasks   int     `json:"tasks"`
	P50     float64 `json:"p50Milliseconds"`
	P95     float64 `json:"p95Milliseconds"`
	P99     float64 `json:"p99Milliseconds"`
	Max     float64 `json:"maxMilliseconds"`
	Verdict string  `json:"goal,omitempty"`
}

// publish writes the table lifecycle.txt and its numbers lifecycle.json into
// SALLYPORT_BENCH_DIR.
func publish(measures []*Measure) error {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	rows := make([]row, len(measures))
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MILLISECONDS\tTASKS\tP50\tP95\tP99\tGOAL")
	for i, m := range measures {
		rows[i] = row{m.Name, len(m.samples), ms(m.At(50)), ms(m.At(95)), ms(m.At(99)), ms(m.At(100)), m.verdict()}
		fmt.Fprintf(table, "%s\t%d\t%.0f\t%.0f\t%.0f\t%s\n", m.Name, len(m.samples), rows[i].P50, rows[i].P95, rows[i].P99, m.verdict())
	}
	if err := table.Flush(); err != nil {
		return err
	}
	content, err := json.MarshalIndent(map[string]any{"processors": runtime.NumCPU(), "measures": rows}, "", "  ")
	if err != nil {
		return err
	}
	folder := cmp.Or(os.Getenv("SALLYPORT_BENCH_DIR"), os.TempDir())
	for name, content := range map[string][]byte{"lifecycle.txt": []byte(text.String()), "lifecycle.json": append(content, '\n')} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
