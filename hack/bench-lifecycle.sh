#!/usr/bin/env bash
# Measures the life of 30 tasks (TASKS=n for more) on an embedded cluster named bench,
# which it brings up and takes down again, or with SALLYPORT_BENCH_CLUSTER=NAME on that
# embedded cluster, which has Sallyport already. Prints a table, and leaves it with its
# numbers in dist/bench.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cluster=${SALLYPORT_BENCH_CLUSTER:-bench}

if [[ -z ${SALLYPORT_BENCH_CLUSTER:-} ]]; then
	hack/setup.sh
	make images
	trap 'status=$?; hack/cluster/cluster.sh down --name $cluster; exit $status' EXIT
	hack/cluster/cluster.sh up --name "$cluster"
	hack/cluster/cluster.sh postgres start --name "$cluster"
	hack/install.sh "$cluster"
fi
set -a
# shellcheck disable=SC1090
source <(hack/cluster/cluster.sh env --name "$cluster")
set +a
mkdir -p dist/bench
export SALLYPORT_BENCH_DIR="$PWD/dist/bench" SALLYPORT_CLUSTER_COMMAND="$PWD/hack/cluster/cluster.sh"
export SALLYPORT_BIN="${SALLYPORT_BIN:-$PWD/bin}"
go test -run '^$' -bench '^BenchmarkLifecycle$' -benchtime "${TASKS:-30}x" -count 1 -timeout 30m ./test/bench
echo
cat dist/bench/lifecycle.txt
