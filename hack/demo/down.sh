#!/usr/bin/env bash
# Ends the demo's cluster and removes every trace of it. On an existing cluster
# (SALLYPORT_DEMO_CLUSTER=existing) it removes the demo's namespace and people, and leaves
# Sallyport and the database as they are.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cluster=${SALLYPORT_DEMO_CLUSTER:-demo}
if [[ $cluster == existing ]]; then
	kubectl delete namespace payments --ignore-not-found --timeout 120s
	kubectl -n sallyport-targets delete secret payments.orders --ignore-not-found
	kubectl delete certificatesigningrequest sallyport-demo-bob sallyport-demo-alice sallyport-demo-carol --ignore-not-found
else
	hack/cluster/cluster.sh down --name "$cluster"
fi
rm -rf dist/demo
