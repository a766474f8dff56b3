package sql

import (
	_ "embed"
	"strings"
)

// blindFunctions make what a policy has judged untrue, or run SQL and read
// relations by a name in a string; no grant lets them through.
var blindFunctions = set(
	"set_config", "setval", "ts_stat", "ts_rewrite", "lo_import", "lo_export",
	"query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema",
	"cursor_to_xml", "cursor_to_xmlschema",
	"table_to_xml", "table_to_xmlschema", "table_to_xml_and_xmlschema",
	"schema_to_xml", "schema_to_xmlschema", "schema_to_xml_and_xmlschema",
	"database_to_xml", "database_to_xmlschema", "database_to_xml_and_xmlschema",
)

// newerFunctions are harmless ones that PostgreSQL 16 to 18 added. Only with
// pg_catalog in front: on an older server the bare name may be anyone's.
var newerFunctions = set(
	"any_value", "array_reverse", "array_sample", "array_shuffle", "array_sort", "casefold", "crc32", "crc32c", "date_add", "date_subtract",
	"erf", "erfc", "gamma", "lgamma", "pg_basetype", "pg_get_acl", "pg_input_error_info", "pg_input_is_valid",
	"random_normal", "system_user", "to_bin", "to_oct", "to_regtypemod", "unicode_assigned", "unicode_version",
	"uuid_extract_timestamp", "uuid_extract_version", "uuidv4", "uuidv7", "xmltext",
)

// knownEffect says whether all that a function of PostgreSQL does is plain from its
// name: it steers, waits, locks, counts or stores, and reads no table behind its
// arguments. All others can show rows: from files, from the log, by a name in a string.
func knownEffect(name string) bool {
	for _, prefix := range []string{"pg_advisory_", "pg_try_advisory_", "pg_stat_reset", "pg_replication_origin_", "pg_copy_", "txid_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return knownEffects[name]
}

var knownEffects = set(
	"nextval", "currval", "setval", "set_config", "setseed", "random", "pg_notify", "pg_sleep", "pg_sleep_for", "pg_sleep_until",
	"pg_cancel_backend", "pg_terminate_backend", "pg_reload_conf", "pg_rotate_logfile", "pg_log_backend_memory_contexts",
	"pg_current_xact_id", "pg_export_snapshot", "pg_logical_emit_message", "pg_create_restore_point", "pg_switch_wal", "pg_promote",
	"pg_wal_replay_pause", "pg_wal_replay_resume", "pg_backup_start", "pg_backup_stop", "pg_prewarm",
	"lo_create", "lo_creat", "lo_unlink", "lo_open", "lo_close", "lo_from_bytea", "lo_put", "lowrite", "lo_get", "loread",
	"lo_lseek", "lo_lseek64", "lo_tell", "lo_tell64", "lo_truncate", "lo_truncate64",
	"pg_import_system_collations", "pg_nextoid", "gin_clean_pending_list", "brin_summarize_new_values", "brin_summarize_range", "brin_desummarize_range",
)

// returnsSet are PostgreSQL's harmless functions that give any number of rows.
var returnsSet = set(
	"aclexplode", "generate_series", "generate_subscripts", "json_array_elements", "json_array_elements_text", "json_each", "json_each_text",
	"json_object_keys", "json_populate_recordset", "json_to_recordset", "jsonb_array_elements", "jsonb_array_elements_text", "jsonb_each",
	"jsonb_each_text", "jsonb_object_keys", "jsonb_path_query", "jsonb_path_query_tz", "jsonb_populate_recordset", "jsonb_to_recordset",
	"regexp_matches", "regexp_split_to_table", "string_to_table", "ts_debug", "ts_parse", "ts_token_type", "txid_snapshot_xip", "unnest",
)

//go:generate sh -c "psql -XAtq -f catalog.sql > catalog.txt"

// catalogText is what a PostgreSQL 15 server has in pg_catalog; catalog.sql makes
// it and says what is harmless and why.
//
//go:embed catalog.txt
var catalogText string

var harmlessFunctions, systemFunctions, systemRelations = readCatalog(catalogText)

func readCatalog(text string) (harmless, functions, relations map[string]bool) {
	harmless, functions, relations = map[string]bool{}, map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(text) {
		what, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch what {
		case "harmless":
			harmless[name], functions[name] = true, true
		case "other":
			functions[name] = true
		case "relation":
			relations[name] = true
		}
	}
	return harmless, functions, relations
}

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, name := range names {
		m[name] = true
	}
	return m
}
