#!/usr/bin/env bash
# Builds the cluster program and runs it: hack/cluster/cluster.sh up --name demo
# "up" builds the control plane too, which takes minutes the first time.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${SALLYPORT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sallyport}

mkdir -p "$cache/bin"
(
	# Two callers at once would write the same files.
	flock 9
	export CGO_ENABLED=0
	go build -C "$here" -trimpath -o "$cache/bin/cluster" .
	go build -C "$here/../images" -trimpath -ldflags '-s -w' -o "$cache/bin/pause" ./pause
) 9>"$cache/bin/.lock"

if [[ ${1:-} == up ]]; then
	SALLYPORT_ASSETS=$("$here/../controlplane/build.sh")
	export SALLYPORT_ASSETS
fi
exec "$cache/bin/cluster" "$@"
