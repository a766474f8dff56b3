#!/usr/bin/env bash
# Builds the images program and runs it in the caller's folder:
#   hack/images/images.sh build --name sallyport.local/manager:dev --output dist/manager.tar --file bin/manager:/manager
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${SALLYPORT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sallyport}

mkdir -p "$cache/bin"
(
	flock 9
	CGO_ENABLED=0 go build -C "$here" -trimpath -o "$cache/bin/images" .
) 9>"$cache/bin/.lock"
exec "$cache/bin/images" "$@"
