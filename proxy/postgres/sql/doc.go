// Package sql reads SQL text with PostgreSQL's own grammar and says, in the words
// of policies, what it would do: kind, relations with the privileges needed there,
// columns and what is done with them, functions, sequences, settings; and of a
// result, which columns each of its columns is computed from.
//
// It fails closed. Every node of the parse tree is followed; a node, setting, option
// or type that is not on one of the lists here makes the action Unknown, and so
// refused. A column that cannot be told is every column of the relations that it may
// belong to ("*"); a name that may mean several things means all of them.
//
// Names are resolved as PostgreSQL does, through the session's search_path and the
// target's catalog. Without a catalog they are as they are written: an unqualified
// relation is pg_catalog's if PostgreSQL has one of that name, else the first
// schema's, and columns are taken for what they look like.
//
// Only the text is read here. What runs behind it, views, triggers, rules, bodies of
// functions, package reach looks into; what no parser can know, it does not claim:
// which of several functions or operators of a name the types of their arguments
// choose (all are called), and what casts call.
package sql

const protocol = "postgres"
