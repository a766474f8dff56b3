#!/usr/bin/env bash
# Installs Sallyport: hack/install.sh CLUSTER for an embedded cluster, or without a name
# on the cluster of KUBECONFIG, whose nodes must be able to pull sallyport.local/*:dev (with
# kind: kind load image-archive dist/*.tar). SALLYPORT_OVERLAY is the overlay, in place of
# config/default.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ -n ${1:-} ]]; then
	hack/cluster/cluster.sh load-image --name "$1" dist/manager.tar dist/proxy.tar dist/reader.tar
	set -a
	# shellcheck disable=SC1090
	source <(hack/cluster/cluster.sh env --name "$1")
	set +a
	PATH=$KUBEBUILDER_ASSETS:$PATH
fi

kubectl apply --server-side --force-conflicts -k "${SALLYPORT_OVERLAY:-config/default}"
# An image that was built again has the same name: what runs has to be told.
images=$(cat dist/manager.tar dist/reader.tar dist/proxy.tar | sha256sum | cut -c 1-16)
for what in sallyport-system/sallyport-manager sallyport-proxies/sallyport-reader; do
	kubectl -n "${what%/*}" patch deployment "${what#*/}" --type merge \
		--patch "{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"access.sallyport.dev/images\":\"$images\"}}}}}"
	kubectl -n "${what%/*}" rollout status "deployment/${what#*/}" --timeout 180s
done
kubectl wait --for=condition=Available apiservice/v1alpha1.subresources.access.sallyport.dev --timeout 60s
