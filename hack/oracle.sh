#!/usr/bin/env bash
# Asks a PostgreSQL server what statements really touch, beside what was predicted: the
# hand-written ones and STATEMENTS generated ones (20000). make test asks of fewer.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
hack/setup.sh
SALLYPORT_ORACLE=${STATEMENTS:-20000} exec go test -count=1 -timeout 60m -v -run PG7 "$@" ./proxy/postgres/judge
