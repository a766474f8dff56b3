#!/usr/bin/env bash
# What the SSH engine costs, beside OpenSSH alone and a plain relay of two legs: builds
# the proxy and runs test/bench/ssh. Arguments go to it (--rounds, --bytes, …). Leaves
# tables and numbers in dist/bench.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
hack/setup.sh
make build >/dev/null
go build -o bin/bench-ssh ./test/bench/ssh
exec bin/bench-ssh --proxy bin/proxy "$@"
