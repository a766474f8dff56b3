package sql

import pg_query "github.com/pganalyze/pg_query_go/v6"

// lock is the locking clauses of one SELECT: all of FROM, or the names of OF.
type lock struct {
	all          bool
	names, found map[string]bool
}

func (s *statement) lockOf(clauses []*pg_query.Node) *lock {
	if len(clauses) == 0 {
		return nil
	}
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

// everything says whether all of FROM is locked.
func (l *lock) everything() bool { return l != nil && l.all }

// covers says whether OF names the item of FROM; nil covers nothing.
func (l *lock) covers(item string) bool {
	if l == nil || !l.names[item] {
		return false
	}
	l.found[item] = true
	return true
}

// check refuses a lock on what is not there.
func (l *lock) check(s *statement) {
	if l == nil {
		return
	}
	for name := range l.names {
		if !l.found[name] {
			s.refuse("FOR UPDATE OF %s, which is not in FROM", name)
		}
	}
}

// itemName is what OF and columns call a relation in FROM.
func itemName(relation *pg_query.RangeVar) string {
	if relation.Alias != nil {
		return relation.Alias.Aliasname
	}
	return relation.Relname
}
