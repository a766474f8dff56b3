package sql

import (
	"errors"
	"fmt"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"
)

// CopyFormat is how a COPY TO writes its rows.
type CopyFormat struct {
	// Binary and CSV; neither is the text format. Header is a first line of names.
	Binary, CSV, Header bool
	// Delimiter between values; Quote and Escape are CSV's.
	Delimiter, Quote, Escape byte
	// Null stands for NULL.
	Null string
}

// errNoCopy is a text that is no single COPY TO.
var errNoCopy = errors.New("no COPY TO")

// ReadCopyFormat reads the options of a COPY TO. The error names an option that
// makes its rows unreadable here.
func ReadCopyFormat(text string) (CopyFormat, error) {
	tree, err := pg_query.Parse(text)
	if err != nil {
		return CopyFormat{}, err
	}
	if len(tree.Stmts) != 1 {
		return CopyFormat{}, errNoCopy
	}
	copyTo := tree.Stmts[0].GetStmt().GetCopyStmt()
	if copyTo == nil || copyTo.IsFrom {
		return CopyFormat{}, errNoCopy
	}
	format, null, delimited := CopyFormat{Quote: '"'}, "", false
	set := map[string]bool{}
	for _, node := range copyTo.Options {
		option := node.GetDefElem()
		name := strings.ToLower(option.GetDefname())
		if set[name] {
			return CopyFormat{}, fmt.Errorf("option %s comes twice", strings.ToUpper(name))
		}
		set[name] = true
		value := option.GetArg().GetString_().GetSval()
		switch name {
		case "format":
			format.Binary, format.CSV = strings.EqualFold(value, "binary"), strings.EqualFold(value, "csv")
			if !format.Binary && !format.CSV && !strings.EqualFold(value, "text") {
				return CopyFormat{}, fmt.Errorf("format %q is not known", value)
			}
		case "header":
			if format.Header, err = copyFlag(option.GetArg()); err != nil {
				return CopyFormat{}, err
			}
		case "null":
			null = value
		case "delimiter":
			format.Delimiter, err = copyCharacter("DELIMITER", value)
			delimited = true
		case "quote":
			format.Quote, err = copyCharacter("QUOTE", value)
		case "escape":
			format.Escape, err = copyCharacter("ESCAPE", value)
		case "encoding":
			if name := strings.ReplaceAll(strings.ToLower(value), "-", ""); name != "utf8" {
				err = fmt.Errorf("ENCODING %q: only UTF8 is read here", value)
			}
		case "force_quote", "freeze":
			// They change neither what a value is nor where it ends.
		default:
			err = fmt.Errorf("option %s is not known", strings.ToUpper(name))
		}
		if err != nil {
			return CopyFormat{}, err
		}
	}
	format.complete(null, set["null"], delimited)
	return format, nil
}

// complete fills in what PostgreSQL takes where nothing is said.
func (f *CopyFormat) complete(null string, hasNull, delimited bool) {
	if !delimited {
		f.Delimiter = '\t'
		if f.CSV {
			f.Delimiter = ','
		}
	}
	if f.Escape == 0 {
		f.Escape = f.Quote
	}
	if !hasNull && !f.CSV {
		null = `\N`
	}
	f.Null = null
}

func copyCharacter(option, value string) (byte, error) {
	if len(value) != 1 {
		return 0, fmt.Errorf("%s is not one character", option)
	}
	return value[0], nil
}

// copyFlag is a boolean as PostgreSQL's defGetBoolean reads one.
func copyFlag(arg *pg_query.Node) (bool, error) {
	switch {
	case arg == nil:
		return true, nil
	case arg.GetInteger() != nil:
		return arg.GetInteger().Ival != 0, nil
	case arg.GetBoolean() != nil:
		return arg.GetBoolean().Boolval, nil
	}
	switch strings.ToLower(arg.GetString_().GetSval()) {
	case "true", "on":
		return true, nil
	case "false", "off":
		return false, nil
	}
	return false, errors.New("HEADER is neither on nor off")
}
