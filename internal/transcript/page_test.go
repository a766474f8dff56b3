package transcript_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/transcript"
)

// inline is the page's elements with text that browsers act on, by name.
func inline(t *testing.T, page string) map[string][]string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for node := range root.Descendants() {
		if node.Type == html.CommentNode {
			t.Errorf("a comment: %q", node.Data)
		}
		if node.Type != html.ElementNode {
			continue
		}
		for _, attribute := range node.Attr {
			if strings.HasPrefix(attribute.Key, "on") || attribute.Key == "src" || attribute.Key == "href" || attribute.Key == "style" {
				t.Errorf("<%s %s=%q>", node.Data, attribute.Key, attribute.Val)
			}
		}
		if node.Data == "script" || node.Data == "style" {
			name := node.Data
			if len(node.Attr) > 0 {
				name += " " + node.Attr[0].Val
			}
			found[name] = append(found[name], node.FirstChild.Data)
		}
		if node.Data == "img" || node.Data == "link" || node.Data == "iframe" {
			t.Errorf("<%s>", node.Data)
		}
	}
	return found
}

func TestREC3_NothingThatWasRecordedIsMarkupOrScriptOfAPage(t *testing.T) {
	t.Parallel()
	page := export(t, transcript.FormatHTML, statements(), shell())
	found := inline(t, page)
	if len(found["script"]) != 1 || len(found["style"]) != 1 || len(found["script application/json"]) != 1 || len(found) != 3 {
		t.Fatalf("%d kinds of inline text", len(found))
	}
	data := found["script application/json"][0]
	for _, bad := range []string{"<", ">", "&", "\u2028", "\u2029", "\u202e", "\x1b"} {
		if strings.Contains(data, bad) {
			t.Errorf("the data hold %q", bad)
		}
	}
	var parsed struct {
		Sessions []struct {
			Steps   []map[string]any
			Warning string
		}
	}
	if err := json.Unmarshal([]byte(data), &parsed); err != nil || len(parsed.Sessions) != 2 {
		t.Fatalf("%d sessions, %v", len(parsed.Sessions), err)
	}
	if !strings.Contains(data, `\u003c/script\u003e`) {
		t.Error("what was recorded is not in the page")
	}
}

func TestThePolicyOfAPageNamesItsOwnScriptAndStyleAndNothingElse(t *testing.T) {
	t.Parallel()
	page := export(t, transcript.FormatHTML, statements())
	policy := regexp.MustCompile(`Content-Security-Policy" content="([^"]+)"`).FindStringSubmatch(page)
	if policy == nil {
		t.Fatal("no policy")
	}
	found := inline(t, page)
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	want := "default-src 'none'; script-src " + hash(found["script"][0]) + "; style-src " + hash(found["style"][0]) + "; base-uri 'none'; form-action 'none'"
	if policy[1] != want {
		t.Errorf("got %s, want %s", policy[1], want)
	}
	for _, sink := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "http:", "https:"} {
		if strings.Contains(found["script"][0], sink) {
			t.Errorf("the script uses %s", sink)
		}
	}
}

func TestREC4_APageIsBoundedAndSaysWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	const rows, size = 40, 3000
	text := strings.Repeat("x", size)
	list := []record.Event{start("postgres")}
	for id := range int64(400) {
		var messages [][]byte
		for range rows {
			messages = append(messages, dataRow(new(text)))
		}
		list = append(list,
			record.Event{Type: record.EventOperation, Operation: &record.Operation{ID: id + 1, Kind: "select", Text: "SELECT 1"}},
			record.Event{Type: record.EventOutput, Output: block(id+1, []record.Column{{Name: "a"}}, messages...)})
	}
	list = append(list, record.Event{Type: record.EventEnd, End: &record.End{Reason: "the very end"}})
	page := export(t, transcript.FormatHTML, recorded(list...))
	if len(page) > 26<<20 || !strings.Contains(page, "beyond 24 MiB are left out") || !strings.Contains(page, "the very end") {
		t.Errorf("%d bytes", len(page))
	}
	many := []record.Event{start("postgres"), {Type: record.EventOperation, Operation: &record.Operation{ID: 1, Text: "SELECT 1"}}}
	for range 30 {
		var messages [][]byte
		for range 100 {
			messages = append(messages, dataRow(new("v")))
		}
		many = append(many, record.Event{Type: record.EventOutput, Output: block(1, nil, messages...)})
	}
	page = export(t, transcript.FormatHTML, recorded(append(many, record.Event{Type: record.EventEnd, End: &record.End{}})...))
	if got := strings.Count(page, `["v"]`); got != 1000 || !strings.Contains(page, "Rows beyond 1000") {
		t.Errorf("%d rows", got)
	}
}
