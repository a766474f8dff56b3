# shellcheck shell=bash
# The people of the demo. Each has a home of their own, with a kubeconfig that holds a real
# client certificate, and no other right than RBAC gives that name and its groups.

# $1 is exec where the command is to take the shell's place.
person() { # [exec] WHO COMMAND…
	local exec=''
	[[ $1 != exec ]] || { exec=exec && shift; }
	local home=$state/people/$1
	shift
	$exec env -u XDG_CONFIG_HOME -u XDG_CACHE_HOME HOME="$home" KUBECONFIG="$home/kubeconfig" \
		PATH="$PWD/bin:$PATH" PSQL_PAGER='' PSQLRC=/dev/null timeout --foreground "${SALLYPORT_DEMO_PATIENCE:-120}" "$@"
}

# enrol gives somebody a home.
enrol() { # WHO GROUP…
	local who=$1 home=$state/people/$1
	shift
	mkdir -p "$home"
	if [[ $cluster == existing ]]; then
		certificate_by_request "$who" "$home" "$@"
	else
		local flags=()
		for group in "$@"; do flags+=(--group "$group"); done
		cp "$(hack/cluster/cluster.sh user "$who" --name "$cluster" "${flags[@]}")" "$home/kubeconfig"
	fi
	chmod 600 "$home/kubeconfig"
	KUBECONFIG=$home/kubeconfig kubectl config set-context --current --namespace "$namespace" >/dev/null
}

enrol_everybody() {
	enrol bob engineering
	enrol alice dba
	enrol carol accounting
}

# certificate_by_request asks the cluster's own signer for a client certificate.
certificate_by_request() { # WHO HOME GROUP…
	local who=$1 home=$2 subject="/CN=$1" request=sallyport-demo-$1
	shift 2
	for group in "$@"; do subject="/O=$group$subject"; done
	(umask 077 && openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "$subject" \
		-keyout "$home/key.pem" -out "$home/request.pem" 2>/dev/null)
	kubectl delete certificatesigningrequest "$request" --ignore-not-found >/dev/null
	kubectl apply -f - >/dev/null <<-YAML
		apiVersion: certificates.k8s.io/v1
		kind: CertificateSigningRequest
		metadata: {name: $request}
		spec:
		  request: $(base64 -w 0 "$home/request.pem")
		  signerName: kubernetes.io/kube-apiserver-client
		  expirationSeconds: 86400
		  usages: [client auth]
	YAML
	kubectl certificate approve "$request" >/dev/null
	kubectl wait --for=jsonpath='{.status.certificate}' "certificatesigningrequest/$request" --timeout 30s >/dev/null
	kubectl get certificatesigningrequest "$request" -o jsonpath='{.status.certificate}' | base64 -d >"$home/certificate.pem"
	kubectl config view --raw --minify --flatten -o json >"$home/kubeconfig"
	KUBECONFIG=$home/kubeconfig kubectl config unset users >/dev/null
	KUBECONFIG=$home/kubeconfig kubectl config set-credentials "$who" --embed-certs \
		--client-certificate "$home/certificate.pem" --client-key "$home/key.pem" >/dev/null
	KUBECONFIG=$home/kubeconfig kubectl config set-context --current --user "$who" >/dev/null
}
