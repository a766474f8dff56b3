# shellcheck shell=bash
chapter 'Sallyport, installed by kustomize'
install_sallyport() {
	if [[ $cluster == existing ]]; then hack/install.sh; else hack/install.sh "$cluster"; fi
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
