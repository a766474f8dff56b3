#!/usr/bin/env bash
# The main job of Sallyport, from a request to the proof that nothing is left, on a real
# cluster with real psql. Every scene checks what it shows; one that goes wrong ends the
# demo with exit code 1.
#
# SALLYPORT_DEMO_CLUSTER=existing takes the cluster of KUBECONFIG in place of an embedded
# one, and the PostgreSQL server of PG_HOST, PG_PORT, PG_USER, PG_PASSWORD and PG_CA_FILE
# (see docs/install.md). SALLYPORT_DEMO_ISOLATION=Reported is for a cluster that does not
# enforce NetworkPolicy.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export LC_ALL=C.UTF-8
cluster=${SALLYPORT_DEMO_CLUSTER:-demo}
namespace=payments
task=pay-1423
state=$PWD/dist/demo
mkdir -p "$state"

# shellcheck source=hack/demo/narrate.sh
source hack/demo/narrate.sh
# shellcheck source=hack/demo/people.sh
source hack/demo/people.sh
# shellcheck source=hack/demo/session.sh
source hack/demo/session.sh
# shellcheck source=hack/demo/target.sh
source hack/demo/target.sh

leave() {
	local status=$?
	close_psql
	finish_line
	exit $status
}
trap leave EXIT
trap 'exit 130' INT TERM

printf '%sSallyport: one task gets access to one database, for as long as it takes, and not a moment longer.%s\n' "$bold" "$plain"
for part in hack/demo/scenes/[0-9]*.sh; do
	# shellcheck disable=SC1090
	source "$part"
done
