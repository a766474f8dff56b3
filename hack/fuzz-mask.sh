#!/usr/bin/env bash
# Tries to get masked values past the masks, until VALUES of them (10 million) were
# masked: random statements from SEED, on PostgreSQL 15 and 18. Says every ten seconds
# how far it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
hack/setup.sh
export SALLYPORT_FUZZ_VALUES=${VALUES:-10000000}
[[ -z ${SEED:-} ]] || export SALLYPORT_FUZZ_SEED=$SEED
exec go test -count=1 -v -timeout 0 -run '^(TestPG9_ACanaryNeverArrives|TestTheControlSeesCanaries)$' ./test/canary
