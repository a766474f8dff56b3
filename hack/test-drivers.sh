#!/usr/bin/env bash
# Runs pgx's and lib/pq's own tests directly and through the proxy, on PostgreSQL 15
# and 18, and a JDBC client: hack/test-drivers.sh [-run PATTERN]. Fails on any
# difference that test/drivers/testdata does not explain. Takes some ten minutes.
# Without a pattern, our own tests that need a server run on 18, too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

hack/setup.sh
packages=()
command -v javac >/dev/null || packages+=(default-jdk-headless)
[[ -f /usr/share/java/postgresql.jar ]] || packages+=(libpostgresql-jdbc-java)
if ((${#packages[@]})); then
	if ((EUID != 0)); then
		echo "test-drivers: run me as root, or install these packages yourself: ${packages[*]}" >&2
		exit 1
	fi
	apt-get update -qq >&2
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
fi
if (($# == 0)); then
	SALLYPORT_TEST_POSTGRES=18 go test -count=1 ./internal/credential/postgres ./controllers/sweep ./proxy/postgres/...
fi
go test -count=1 -timeout 60m -v ./test/drivers -all "$@"
