#!/usr/bin/env bash
# Runs the end-to-end tests: hack/e2e.sh GOTESTSUM [go test flags]. Brings up an
# embedded cluster named e2e with Sallyport on it, and takes it down again unless
# SALLYPORT_E2E_KEEP=1; with SALLYPORT_E2E_CLUSTER=existing it takes the cluster of KUBECONFIG,
# with Sallyport (as in test/e2e/installation) and the image sallyport.local/e2e-client:dev
# on it. The environment then gives what hack/cluster would: KUBEBUILDER_ASSETS (where
# kubectl is), PG_*, SSH_*, and SALLYPORT_CLUSTER_COMMAND, a program with its verbs user,
# postgres, ssh and exec.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
gotestsum=$1
shift
cluster=e2e

if [[ ${SALLYPORT_E2E_CLUSTER:-} != existing ]]; then
	make images
	hack/cluster/cluster.sh up --name $cluster
	down() {
		local status=$?
		[[ ${SALLYPORT_E2E_KEEP:-} == 1 ]] || hack/cluster/cluster.sh down --name $cluster
		exit $status
	}
	trap down EXIT
	hack/cluster/cluster.sh postgres start --name $cluster
	hack/cluster/cluster.sh ssh start --name $cluster
	SALLYPORT_OVERLAY=test/e2e/installation hack/install.sh $cluster
	# What the tests run in pods.
	CGO_ENABLED=0 go build -trimpath -o dist/e2e-client ./test/e2e/client
	hack/images/images.sh build --name sallyport.local/e2e-client:dev --output dist/e2e-client.tar --file dist/e2e-client:/client
	hack/cluster/cluster.sh load-image --name $cluster dist/e2e-client.tar
	set -a
	# shellcheck disable=SC1090
	source <(hack/cluster/cluster.sh env --name $cluster)
	set +a
	export SALLYPORT_CLUSTER_COMMAND="$PWD/hack/cluster/cluster.sh"
fi
export SALLYPORT_BIN="$PWD/bin"
# The S3 server of those who record to a bucket.
VERSITYGW=$(hack/s3/build.sh)
export VERSITYGW
"$gotestsum" --format testname --jsonfile dist/e2e.json -- -count=1 -timeout 40m -parallel 4 "$@" ./test/e2e/...
