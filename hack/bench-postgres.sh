#!/usr/bin/env bash
# What the PostgreSQL engine costs, beside no proxy, pgbouncer and a bare relay: builds
# the proxy and runs test/bench/postgres. Arguments go to it (--rounds, --seconds, …).
# Leaves tables and numbers in dist/bench.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
hack/setup.sh
command -v pgbouncer >/dev/null || {
	((EUID == 0)) || { echo "bench-postgres: install the package pgbouncer, or run me as root" >&2; exit 1; }
	apt-get install -y -q --no-install-recommends pgbouncer >/dev/null
	# The bench starts its own; the package's service would take the port of another's.
	! command -v systemctl >/dev/null || systemctl disable --now pgbouncer >/dev/null 2>&1 || true
}
make build >/dev/null
go build -o bin/bench-postgres ./test/bench/postgres
exec bin/bench-postgres --proxy bin/proxy "$@"
