#!/usr/bin/env bash
# Fails when generated files are stale, the code does not meet the linters, a module
# is not tidy, or a document links to what is not there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

step() { echo "verify: $*" >&2; }

step generated files
make generate
step tidy modules
go mod tidy
if [[ -n $(git status --porcelain -- api config internal go.mod go.sum) ]]; then
	git --no-pager diff --stat -- api config internal go.mod go.sum
	git status --porcelain -- api config internal go.mod go.sum
	echo "verify: generated files or go.mod are stale: run make generate and go mod tidy, and commit" >&2
	exit 1
fi
step lint
make lint
step layers and links
go test -count=1 ./test/house/...
