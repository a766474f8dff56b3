# shellcheck shell=bash
chapter 'Sallyport, installed by kustomize'
install_sallyport() {
	if [[ $cluster == existing ]]; then hack/install.sh; else hack/install.sh "$cluster"; fi
	# An image that was built again has the same name: what runs has to be told.
	local images
	images=$(cat dist/manager.tar dist/reader.tar dist/proxy.tar | sha256sum | cut -c 1-16)
	for what in sallyport-system/sallyport-manager sallyport-proxies/sallyport-reader; do
		kubectl -n "${what%/*}" patch deployment "${what#*/}" --type merge \
			--patch "{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"sallyport.dev/demo-images\":\"$images\"}}}}}"
		kubectl -n "${what%/*}" rollout status "deployment/${what#*/}" --timeout 180s
	done
}
step 'Installing CRDs, admission policies, rights, the manager, the reader' install_sallyport
mkdir -p "$state/people/admin"
kubectl config view --raw --minify --flatten >"$state/people/admin/kubeconfig"
chmod 600 "$state/people/admin/kubeconfig"
as admin kubectl get pods -A -l app.kubernetes.io/name=sallyport
works
said 'sallyport-manager.*Running'
said 'sallyport-reader.*Running'
say 'Who asks and who answers is established by the API server itself: there is no webhook.'
as admin kubectl get validatingadmissionpolicies,mutatingadmissionpolicies -o name
works
said 'validatingadmissionpolicy'
