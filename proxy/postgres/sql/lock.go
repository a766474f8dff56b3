package sql

import pg_query "github.com/pganalyze/pg_query_go/v6"

// lock is the locking clauses of one SELECT: all of FROM, or the names of OF.
type lock struct {
	all          bool
	names, found map[string]bool
}

func (s *statement) lockOf(clauses []*pg_query.Node) *lock {
	l := &lock{names: map[string]bool{}, found: map[string]bool{}}
	for _, node := range clauses {
		clause := node.GetLockingClause()
		if clause == nil {
			s.refuse("a locking clause")
			continue
		}
		l.all = l.all || len(clause.LockedRels) == 0
		for _, relation := range clause.LockedRels {
			l.names[relation.GetRangeVar().GetRelname()] = true
		}
	}
	return l
}

// covers says whether OF names the item of FROM; nil covers nothing.
func (l *lock) covers(item string) bool {
	if l == nil || !l.names[item] {
		return false
	}
	l.found[item] = true
	return true
}

// itemName is what OF calls a relation in FROM.
func itemName(relation *pg_query.RangeVar) string {
	if relation.Alias != nil {
		return relation.Alias.Aliasname
	}
	return relation.Relname
}
