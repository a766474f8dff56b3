-- What PostgreSQL itself has in pg_catalog, one line each:
--   harmless NAME   functions that any task may call
--   other NAME      functions that a grant must name, as pg_catalog.NAME
--   relation NAME   catalogs and views
-- Regenerate with `go generate` against a plain PostgreSQL 15 (see functions.go).
WITH function AS (
  SELECT proname AS name, provolatile AS volatility
  FROM pg_catalog.pg_proc p
  WHERE pronamespace = 'pg_catalog'::regnamespace
    -- Overloads that only the server itself can call do not count.
    AND NOT EXISTS (
      SELECT FROM unnest(string_to_array(proargtypes::text, ' ')::oid[] || prorettype) AS t
      WHERE t IN ('internal'::regtype, 'cstring'::regtype, 'trigger'::regtype, 'event_trigger'::regtype,
                  'language_handler'::regtype, 'fdw_handler'::regtype, 'tsm_handler'::regtype,
                  'index_am_handler'::regtype, 'table_am_handler'::regtype))
), judged AS (
  -- A name is harmless if every overload of it is.
  SELECT name, bool_and(
    (volatility IN ('i', 's')
      -- These read relations, files or the log by a name in a string, run SQL, or
      -- show samples of the data.
      AND name !~ '_to_xml|^pg_config$|^pg_mcv_list_items$'
      -- These assign a transaction identifier, or belong to event triggers, the
      -- wire, languages and upgrades.
      AND name !~ '^txid_current$|^pg_current_xact_id$|^pg_event_trigger|^binary_upgrade|_validator$|(send|recv)$'
      -- These read other sessions' work; the views over them stay readable.
      AND name !~ '^pg_stat_get_(backend|activity|wal|progress|subscription|replication)|^pg_get_replication_slots$')
    -- Volatile, and yet only looking.
    OR name IN (
      'clock_timestamp', 'current_query', 'gen_random_uuid', 'lastval', 'random', 'timeofday',
      'pg_blocking_pids', 'pg_collation_actual_version', 'pg_database_collation_actual_version',
      'pg_database_size', 'pg_indexes_size', 'pg_is_in_recovery', 'pg_partition_ancestors', 'pg_partition_tree',
      'pg_relation_size', 'pg_sequence_last_value', 'pg_table_size', 'pg_tablespace_size', 'pg_total_relation_size')
  ) AS harmless
  FROM function GROUP BY name
)
SELECT line FROM (
SELECT CASE WHEN harmless THEN 'harmless ' ELSE 'other ' END || name AS line FROM judged
UNION
SELECT 'other ' || proname FROM pg_catalog.pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace AND proname NOT IN (SELECT name FROM judged)
UNION
SELECT 'relation ' || relname FROM pg_catalog.pg_class
WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
) AS lines
ORDER BY line COLLATE "C";
