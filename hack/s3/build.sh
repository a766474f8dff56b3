#!/usr/bin/env bash
# Builds the S3 server of the tests, versitygw, from the module proxy into a cache
# outside the repository.
#
#   server=$(hack/s3/build.sh)      # the last line on stdout is the program
#
# Progress goes to stderr. A first build takes minutes; a second call only reads a stamp.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

package=github.com/versity/versitygw
version=$(awk -v package=$package '$1 == "require" && $2 == package { print $3; exit } $1 == package { print $2; exit }' go.mod)
cache=${SALLYPORT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sallyport}
folder=$cache/s3/$version
stamp=$folder/.stamp

say() { printf '%4ds  %s\n' "$SECONDS" "$*" >&2; }
fingerprint() { cat go.mod go.sum build.sh | sha256sum | cut -d' ' -f1; }
current() { [[ -f $stamp && $(<"$stamp") == "$(fingerprint)" ]]; }

if ! current; then
	command -v go >/dev/null || { echo "build.sh: no Go toolchain on PATH" >&2; exit 1; }
	mkdir -p "$folder"
	# One build at a time: a second caller waits, then finds the stamp.
	exec 9>"$folder/.lock"
	flock --nonblock 9 || { say "another build is running; waiting for it"; flock 9; }
	if ! current; then
		work=$(mktemp -d "$folder/.build.XXXXXX")
		trap 'rm -rf "$work"' EXIT
		say "building versitygw $version"
		CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags "-s -w" -o "$work/versitygw" $package/cmd/versitygw >&2
		mv "$work/versitygw" "$folder/versitygw"
		fingerprint >"$stamp"
		say "versitygw $version is ready"
	fi
fi
echo "$folder/versitygw"
