#!/usr/bin/env bash
# Runs the tests: hack/test.sh [all|unit|e2e]. Unit tests start API servers and
# PostgreSQL themselves; end-to-end tests run on an embedded cluster that this script
# brings up and takes down, or on KUBECONFIG when SALLYPORT_E2E_CLUSTER=existing.
#
# What this machine cannot run is printed at the end with its reason; with CI set, or
# SALLYPORT_REQUIRE_ALL=1, it is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
what=${1:-all}
mkdir -p dist

hack/setup.sh
KUBEBUILDER_ASSETS=$(hack/controlplane/build.sh)
export KUBEBUILDER_ASSETS
gotestsum=dist/gotestsum
go build -C hack/tools -o ../../$gotestsum gotest.tools/gotestsum

run() { # NAME PACKAGES...
	local name=$1
	shift
	$gotestsum --format pkgname-and-test-fails --jsonfile "dist/$name.json" -- -count=1 -timeout 40m "$@"
}

skipped() {
	jq -rs 'map(select(.Action == "skip" and .Test != null)) | .[] | .Package + "." + .Test' dist/*.json | sort -u
}

rm -f dist/*.json
status=0
if [[ $what != e2e ]]; then
	mapfile -t packages < <(go list ./... | grep -v /test/e2e)
	run unit "${packages[@]}" || status=1
	# The development cluster's own modules.
	for module in hack/cluster hack/images; do
		go test -C $module ./... || status=1
	done
fi
if [[ $what != unit ]]; then
	hack/e2e.sh "$gotestsum" || status=1
fi

missing=$(skipped)
if [[ -n $missing ]]; then
	echo
	echo "Skipped, each with its reason in dist/*.json:"
	echo "$missing"
	if [[ -n ${CI:-} || ${SALLYPORT_REQUIRE_ALL:-} == 1 ]]; then
		echo "A test that does not run is a failure here." >&2
		status=1
	fi
fi
exit $status
