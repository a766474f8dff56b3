package policy

import (
	"strings"

	"github.com/sallyport/sallyport/api/v1alpha1"
)

// implicit says whether every grant includes the access: reading the system
// catalogs, without which psql's \d and every driver's look-up of types fail.
func implicit(a Access) bool {
	return a.Privilege == v1alpha1.PrivilegeSelect && systemSchema(a.Schema) &&
		!sensitive[a.Name] && !statistics[a.Name] && !strings.HasPrefix(a.Name, "pg_toast")
}

func systemSchema(name string) bool { return name == "pg_catalog" || name == "information_schema" }

// statistics are the catalogs that hold samples of the data. pg_statistic_ext (not its
// data) is what psql's \d reads.
var statistics = map[string]bool{
	"pg_statistic":          true,
	"pg_statistic_ext_data": true,
	"pg_stats":              true,
	"pg_stats_ext":          true,
	"pg_stats_ext_exprs":    true,
}

// sensitive are the catalogs that hold secrets, files of the server, or the data
// itself. PostgreSQL keeps most of them from ordinary roles too; a target may have
// been less careful. What pg_stat_activity shows of others is the server's to decide.
var sensitive = map[string]bool{
	// Passwords.
	"pg_authid":            true,
	"pg_shadow":            true,
	"pg_user_mapping":      true,
	"pg_user_mappings":     true,
	"_pg_user_mappings":    true,
	"user_mapping_options": true,
	"pg_subscription":      true,
	// Rows.
	"pg_largeobject": true,
	// The server's files and memory.
	"pg_hba_file_rules":          true,
	"pg_ident_file_mappings":     true,
	"pg_file_settings":           true,
	"pg_config":                  true,
	"pg_backend_memory_contexts": true,
	"pg_shmem_allocations":       true,
}
