package sql_test

import (
	"strconv"
	"testing"

	"github.com/sallyport/sallyport/internal/policy"
	"github.com/sallyport/sallyport/proxy/postgres/sql"
)

var policyContext = policy.Context{
	Session: policy.SessionContext{User: "bob", Database: "orders", Application: "psql"},
	Task:    policy.TaskContext{ID: "PAY-1423", Type: "read", Requester: "bob"},
}

const typical = `SELECT o.id, o.status, c.name FROM orders o JOIN customers c ON c.id = o.customer_id
WHERE o.status = 'paid' AND o.created_at > now() - interval '1 day' ORDER BY o.id LIMIT `

func BenchmarkRead(b *testing.B) {
	for name, text := range map[string]string{"typical": typical, "pgbench": "SELECT abalance FROM pgbench_accounts WHERE aid = "} {
		b.Run(name, func(b *testing.B) {
			i := 0
			for b.Loop() {
				i++
				sql.Read(text+strconv.Itoa(i), sql.Session{})
			}
		})
	}
}

func BenchmarkDecide(b *testing.B) {
	grant := compile(b)
	action := classify(typical + "10")[0]
	for b.Loop() {
		grant.Decide(action, policyContext)
	}
}
