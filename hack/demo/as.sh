#!/usr/bin/env bash
# Runs a command as one of the demo's people: hack/demo/as.sh bob kubectl access list.
# Without a command, a shell.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
who=${1:?usage: hack/demo/as.sh bob|alice|carol|admin [COMMAND…]}
shift
home=$root/dist/demo/people/$who
[[ -f $home/kubeconfig ]] || {
	echo "as.sh: there is no $who: run make demo first" >&2
	exit 1
}
PATH=$root/bin:$PATH
command -v kubectl >/dev/null || PATH=$("$root/hack/controlplane/build.sh"):$PATH
unset XDG_CONFIG_HOME XDG_CACHE_HOME
export PATH HOME="$home" KUBECONFIG="$home/kubeconfig"
if (($#)); then exec "$@"; fi
PS1="$who\$ " exec bash --norc --noprofile
