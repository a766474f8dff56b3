package mask

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

func TestEachDetectorFindsWhatItsCorpusMarksAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, detect := range builtIn {
		t.Run(string(detect), func(t *testing.T) {
			t.Parallel()
			set := detecting(t, detect)
			for _, line := range corpus(t, detect) {
				if diff := cmp.Diff(line, marked(set, unmarked(line))); diff != "" {
					t.Errorf("%s: what is marked (-want +got):\n%s", detect, diff)
				}
			}
		})
	}
}

// corpus reads the marked texts for one detector.
func corpus(t testing.TB, detect v1alpha1.Detect) (lines []string) {
	t.Helper()
	file, err := os.ReadFile("testdata/" + string(detect) + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(file)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "# ") {
			continue
		}
		lines = append(lines, strings.NewReplacer(`\n`, "\n", `\t`, "\t").Replace(line))
	}
	return lines
}

// unmarked is a line without its marks.
func unmarked(line string) string { return strings.NewReplacer("«", "", "»", "").Replace(line) }

// marked is text with marks around what set finds.
func marked(set *Set, text string) string {
	var b strings.Builder
	end := 0
	for _, span := range set.Find([]byte(text), nil) {
		b.WriteString(text[end:span.Begin] + "«" + text[span.Begin:span.End] + "»")
		end = span.End
	}
	return b.String() + text[end:]
}

// providerKeys are put together here, so that no scanner takes a file of ours for a leak.
func TestKeysOfProvidersAreFoundByTheirPrefix(t *testing.T) {
	t.Parallel()
	body := func(n int) string { return strings.Repeat("Aa1Bb2Cc3", n/9+1)[:n] }
	set := detecting(t, v1alpha1.DetectCloudKey)
	for _, key := range []string{
		"AI" + "za" + body(35), "GOC" + "SPX-" + body(28), "ya" + "29." + body(60),
		"Account" + "Key=" + body(86) + "==", "SharedAccess" + "Key=" + body(43) + "=",
		"abc8" + "Q~" + body(34),
		"gh" + "p_" + body(36), "gh" + "s_" + body(36), "github" + "_pat_" + body(22) + "_" + body(59),
		"glp" + "at-" + body(20), "xo" + "xb-123456789012-123456789012-" + body(24), "xa" + "pp-1-A-" + body(40),
		"sk_" + "live_" + body(24), "rk_" + "test_" + body(24), "whs" + "ec_" + body(32),
		"np" + "m_" + body(36), "py" + "pi-AgE" + body(60), "dck" + "r_pat_" + body(27),
		"dop" + "_v1_" + strings.Repeat("0f", 32), "hv" + "s." + body(24), "S" + "G." + body(22) + "." + body(43),
		"sk" + "-proj-" + body(48), "sk" + "-ant-api03-" + body(90),
	} {
		if got, want := marked(set, `token="`+key+`", next`), `token="«`+key+`»", next`; got != want {
			t.Errorf("marked %s, want %s", got, want)
		}
		if got := marked(set, "x"+key[:8]); got != "x"+key[:8] {
			t.Errorf("marked %s, which is no key", got)
		}
	}
}
