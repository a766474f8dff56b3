# shellcheck shell=bash
# The target's own administrator, who looks at PostgreSQL without Sallyport in between.

connect_target() {
	: "${PG_HOST:?}" "${PG_PORT:=5432}" "${PG_USER:?}" "${PG_PASSWORD:?}" "${PG_CA_FILE:?}"
	export PGHOST=${PG_FORWARD_HOST:-$PG_HOST} PGPORT=${PG_FORWARD_PORT:-$PG_PORT}
	export PGUSER=$PG_USER PGPASSWORD=$PG_PASSWORD PGSSLMODE=verify-full PGSSLROOTCERT=$PG_CA_FILE PGCONNECT_TIMEOUT=10
	target_host=${PG_NAME:-$PG_HOST}
}

target_sql() { psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 "$@"; }

# on_target asks the server itself, and prints question and answer.
on_target() { # SQL
	printf '   %spostgres=#%s %s\n' "$cyan" "$plain" "$1"
	status=0
	output=$(target_sql --dbname orders --command "$1" 2>&1) || status=$?
	indent <<<"$output"
	works
}

# target_says is one value, not shown.
target_says() { target_sql --dbname orders --tuples-only --no-align --command "$1"; }

make_orders() {
	target_sql --dbname "${PG_DATABASE:-postgres}" --command 'DROP DATABASE IF EXISTS orders WITH (FORCE)' --command 'CREATE DATABASE orders'
	target_sql --dbname orders --single-transaction --file hack/demo/orders.sql
}
