package sql

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"github.com/sallyport/sallyport/api/v1alpha1"
	"github.com/sallyport/sallyport/internal/policy"
)

// copy goes to and from the client; a file or program of the server is a kind of its own.
func (s *statement) copy(stmt *pg_query.CopyStmt) string {
	kind := "copy-to"
	if stmt.IsFrom {
		kind = "copy-from"
	}
	outside := stmt.Filename != "" || stmt.IsProgram
	if outside {
		s.beyond(`COPY with a file or a program of the server: use \copy, or COPY … FROM STDIN and TO STDOUT`)
		if stmt.IsProgram {
			kind += "-program"
			s.obscure("COPY runs a program of the server")
		} else {
			kind += "-file"
			if stmt.IsFrom {
				s.obscure("COPY reads a file of the server")
			}
		}
	}
	s.copyOptions(stmt.Options)
	switch {
	case stmt.Query != nil:
		if inner := s.classify(stmt.Query); !rowKind(inner) {
			s.refuse("COPY of %s", inner)
		}
	case stmt.IsFrom:
		s.copyFrom(stmt)
	default:
		s.comesOut(s.copied(stmt, v1alpha1.PrivilegeSelect))
	}
	if outside {
		for u := range s.uses {
			if u.Use == policy.UseOutput {
				s.uses[policy.ColumnUse{Schema: u.Schema, Relation: u.Relation, Column: u.Column, Use: policy.UseCopy}] = true
			}
		}
		s.outputs = nil
	}
	return kind
}

func (s *statement) copyFrom(stmt *pg_query.CopyStmt) {
	s.use(s.copied(stmt, v1alpha1.PrivilegeInsert).all(), policy.UseWrite)
	s.filtered = stmt.WhereClause != nil
	if s.filtered {
		r := s.target(stmt.Relation, v1alpha1.PrivilegeSelect)
		s.filter(stmt.WhereClause, &place{items: []*item{targetItem(stmt.Relation, r)}})
	}
}

// copied is the columns of a table that COPY takes.
func (s *statement) copied(stmt *pg_query.CopyStmt, privilege v1alpha1.RelationPrivilege) shape {
	r := s.target(stmt.Relation, privilege)
	if len(stmt.Attlist) == 0 {
		if r.known == nil {
			return r.shape()
		}
		return shape{fields: r.stored()}
	}
	var out shape
	for _, name := range parts(stmt.Attlist) {
		out.fields = append(out.fields, field{name: name, from: []column{r.column(name)}, plain: true})
	}
	return out
}

func (s *statement) copyOptions(options []*pg_query.Node) {
	for _, option := range options {
		def := option.GetDefElem()
		name := def.GetDefname()
		utf8 := name == "encoding" && s.in.Unrestricted && isUTF8(def.GetArg().GetString_().GetSval())
		if !copyOptions[name] && !utf8 {
			s.refuse("the option %s of COPY", name)
		}
	}
}

func isUTF8(value string) bool {
	value = strings.ToLower(value)
	return value == "utf8" || value == "utf-8" || value == "unicode"
}

// copyOptions lacks encoding: what flows then is not what is recorded and masked.
var copyOptions = map[string]bool{
	"format": true, "freeze": true, "delimiter": true, "null": true, "default": true, "header": true, "quote": true, "escape": true,
	"force_quote": true, "force_not_null": true, "force_null": true, "on_error": true, "log_verbosity": true,
}
