#!/usr/bin/env bash
# Measures how soon each kind of SSH client ends when its task is closed, on an embedded
# cluster that does nothing else. Fails where one takes more than a second.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
hack/setup.sh
KUBEBUILDER_ASSETS=$(hack/controlplane/build.sh)
export KUBEBUILDER_ASSETS
mkdir -p dist
go build -C hack/tools -o ../../dist/gotestsum gotest.tools/gotestsum
SALLYPORT_ENDS_WITHIN=1s hack/e2e.sh dist/gotestsum -run '^TestLIFE1_ClosingEndsEveryKindOfSSHStream$'
jq -r 'select(.Output != null) | .Output | select(test(" ended: |p99")) | sub("^ *ssh_end_test.go:[0-9]+: "; "")' dist/e2e.json
