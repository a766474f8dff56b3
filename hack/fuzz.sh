#!/usr/bin/env bash
# Runs every fuzzer for FUZZTIME (1m) each: hack/fuzz.sh [PACKAGE…]. What a fuzzer finds,
# go test writes below testdata/fuzz: commit it with the correction.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
fuzztime=${FUZZTIME:-1m}
(($#)) || set -- ./...

log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=()
while read -r package; do
	mapfile -t fuzzers < <(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true)
	for fuzzer in "${fuzzers[@]}"; do
		echo "fuzz: $package $fuzzer, $fuzztime" >&2
		go test -run '^$' -fuzz "^$fuzzer\$" -fuzztime "$fuzztime" "$package" | tee "$log" && continue
		# On a busy machine Go's fuzzing engine may miss its own deadline: no finding.
		if grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log"; then
			continue
		fi
		failed+=("$package $fuzzer")
	done
done < <(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' "$@")

if ((${#failed[@]})); then
	printf 'fuzz: failed: %s\n' "${failed[@]}" >&2
	exit 1
fi
