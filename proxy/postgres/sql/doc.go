// Package sql reads SQL text with PostgreSQL's own grammar and says, in the
// words of policies, what it would do: kind, relations with the privileges
// needed there, columns and what is done with them, functions, sequences.
//
// It fails closed. The walk visits every node of the parse tree; a node, setting,
// option or type that is not on one of the lists here makes the action Unknown,
// and so refused. Names are resolved through the session's search_path and the
// target's catalog; where no catalog is known, an unqualified relation is
// pg_catalog's if PostgreSQL has one of that name, else public's.
//
// What a text alone cannot say it leaves to package reach: what is behind the
// relations and functions that it names.
package sql

const protocol = "postgres"
