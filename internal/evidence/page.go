package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"strings"

	"github.com/sallyport/sallyport/internal/record"
)

// page is a report as blocks of plain text, which each format escapes in its own way:
// no text of the bundle can become markup.
type page []block

// block is one of a heading, a paragraph, a list, a table, or preformatted text.
type block struct {
	heading int
	text    string
	list    []string
	header  []string
	rows    [][]string
	code    string
}

func (p *page) heading(level int, text string) { *p = append(*p, block{heading: level, text: text}) }
func (p *page) say(format string, args ...any) {
	*p = append(*p, block{text: fmt.Sprintf(format, args...)})
}
func (p *page) list(items ...string) { *p = append(*p, block{list: items}) }
func (p *page) code(text string)     { *p = append(*p, block{code: text}) }
func (p *page) table(header []string, rows [][]string) {
	*p = append(*p, block{header: header, rows: rows})
}

// markdown is the page in CommonMark, with GitHub's tables.
func (p page) markdown() []byte {
	var out bytes.Buffer
	for i, b := range p {
		if i > 0 {
			out.WriteByte('\n')
		}
		switch {
		case b.heading > 0:
			fmt.Fprintf(&out, "%s %s\n", strings.Repeat("#", b.heading), markdownText(b.text))
		case b.list != nil:
			for _, item := range b.list {
				fmt.Fprintf(&out, "- %s\n", markdownText(item))
			}
		case b.header != nil:
			markdownTable(&out, b)
		case b.code != "":
			fence := "```"
			for strings.Contains(b.code, fence) {
				fence += "`"
			}
			fmt.Fprintf(&out, "%stext\n%s\n%s\n", fence, record.Printable(strings.TrimSuffix(b.code, "\n")), fence)
		default:
			fmt.Fprintf(&out, "%s\n", markdownText(b.text))
		}
	}
	return out.Bytes()
}

func markdownTable(out *bytes.Buffer, b block) {
	line := func(cells []string) {
		for _, cell := range cells {
			out.WriteString("| " + markdownText(cell) + " ")
		}
		out.WriteString("|\n")
	}
	line(b.header)
	out.WriteString(strings.Repeat("| --- ", len(b.header)) + "|\n")
	for _, row := range b.rows {
		line(row)
	}
}

// markdownText is a text on one line that means nothing but itself: every character of
// ASCII that may be punctuation of Markdown is escaped (CommonMark 0.31, 2.4), and what
// a renderer would take for a link without any (GitHub's extension) is broken up.
func markdownText(text string) string {
	text = record.PrintableLine(text)
	var out strings.Builder
	for i, r := range text {
		switch {
		case strings.ContainsRune("\\`*_{}[]()#+!|<>~&$=^", r), r == '-' && i == 0,
			(r == '.' || r == ')') && i > 0 && i < 10 && strings.Trim(text[:i], "0123456789") == "":
			out.WriteByte('\\')
		case r == ':' && strings.HasPrefix(text[i:], "://"), r == '@':
			out.WriteString("\\")
		case r == '.' && i >= 3 && strings.EqualFold(text[i-3:i], "www"):
			out.WriteString("\\")
		}
		out.WriteRune(r)
	}
	return out.String()
}

// html is the page by itself, which loads and runs nothing.
func (p page) html() []byte {
	var out bytes.Buffer
	sum := sha256.Sum256([]byte(style))
	fmt.Fprintf(&out, `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s</title>
<style>%s</style>
</head>
<body>
<main>
`, base64.StdEncoding.EncodeToString(sum[:]), escaped(p.title()), style)
	for _, b := range p {
		b.html(&out)
	}
	out.WriteString("</main>\n</body>\n</html>\n")
	return out.Bytes()
}

func (p page) title() string {
	for _, b := range p {
		if b.heading == 1 {
			return b.text
		}
	}
	return "Evidence"
}

func (b block) html(out *bytes.Buffer) {
	switch {
	case b.heading > 0:
		fmt.Fprintf(out, "<h%d>%s</h%d>\n", b.heading, escaped(b.text), b.heading)
	case b.list != nil:
		out.WriteString("<ul>\n")
		for _, item := range b.list {
			fmt.Fprintf(out, "<li>%s</li>\n", escaped(item))
		}
		out.WriteString("</ul>\n")
	case b.header != nil:
		b.htmlTable(out)
	case b.code != "":
		fmt.Fprintf(out, "<pre>%s</pre>\n", html.EscapeString(record.Printable(b.code)))
	default:
		fmt.Fprintf(out, "<p>%s</p>\n", escaped(b.text))
	}
}

// htmlTable has its headers above, or, where they are empty, in its first column.
func (b block) htmlTable(out *bytes.Buffer) {
	named := strings.Join(b.header, "") != ""
	out.WriteString("<div class=\"wide\" tabindex=\"0\">\n<table>\n")
	if named {
		out.WriteString("<thead><tr>")
		for _, cell := range b.header {
			fmt.Fprintf(out, "<th scope=\"col\">%s</th>", escaped(cell))
		}
		out.WriteString("</tr></thead>\n")
	}
	out.WriteString("<tbody>\n")
	for _, row := range b.rows {
		out.WriteString("<tr>")
		for i, cell := range row {
			if i == 0 && !named {
				fmt.Fprintf(out, "<th scope=\"row\">%s</th>", escaped(cell))
				continue
			}
			fmt.Fprintf(out, "<td>%s</td>", escaped(cell))
		}
		out.WriteString("</tr>\n")
	}
	out.WriteString("</tbody>\n</table>\n</div>\n")
}

func escaped(text string) string { return html.EscapeString(record.PrintableLine(text)) }

const style = `
:root { color-scheme: light dark; --ink: #1a2029; --quiet: #5a6573; --line: #d9dee5; --ground: #ffffff; --soft: #f1f4f7; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ef; --quiet: #98a4b2; --line: #333c47; --ground: #14191f; --soft: #1d242c; } }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.55 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.3; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; padding-top: .6rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
p, li, td { overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; font-size: .92em; }
td { min-width: 6.5rem; }
th, td { text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); padding: .3rem .7rem .3rem 0; }
th { color: var(--quiet); font-weight: 600; }
th[scope="row"] { width: 11rem; }
pre { background: var(--soft); border-radius: 6px; padding: .8rem; overflow-x: auto; font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace; }
@media print { h2 { break-after: avoid; } pre { white-space: pre-wrap; } }
`
