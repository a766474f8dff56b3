# shellcheck shell=bash
chapter 'A target, two policies, three people'

# The samples, with this server's address and authority.
write_domain() {
	mkdir -p "$state/domain"
	{
		echo 'apiVersion: kustomize.config.k8s.io/v1beta1'
		echo 'kind: Kustomization'
		echo 'resources: [../../../config/samples]'
		echo 'patches:'
		echo '- target: {kind: AccessTarget, name: orders}'
		echo '  patch: |'
		echo "    - {op: replace, path: /spec/postgres/host, value: '$target_host'}"
		echo "    - {op: replace, path: /spec/postgres/port, value: $PG_PORT}"
		echo '    - op: add'
		echo '      path: /spec/postgres/tls/caBundle'
		echo '      value: |'
		sed 's/^/        /' "$PG_CA_FILE"
		echo '- target: {kind: AccessPolicy}'
		echo '  patch: |'
		echo "    - {op: replace, path: /spec/isolation, value: ${SALLYPORT_DEMO_ISOLATION:-Required}}"
	} >"$state/domain/kustomization.yaml"
}

# The Secret is the platform's opt-in: it pins the address, so that whoever may write an
# AccessTarget can neither read the administrator's login nor send it elsewhere.
make_target_secret() {
	kubectl -n sallyport-targets create secret generic "$namespace.orders" --dry-run=client -o yaml \
		--from-literal=host="$target_host" --from-literal=port="$PG_PORT" --from-file=ca.crt="$PG_CA_FILE" \
		--from-file=username=<(printf %s "$PG_USER") --from-file=password=<(printf %s "$PG_PASSWORD") |
		kubectl apply --server-side --force-conflicts -f -
}

write_domain
step 'Storing the login of the database administrator, with the address it is for, in sallyport-targets' make_target_secret
step 'Giving bob, alice and carol client certificates' enrol_everybody
as admin kubectl apply -k dist/demo/domain
works
settled() {
	kubectl -n "$namespace" wait --for=condition=Ready accesstarget/orders accesspolicy/orders-read accesspolicy/orders-fix --timeout 30s
}
step 'Waiting until the manager has tried the target and compiled the policies' settled
as admin kubectl -n "$namespace" get accesstargets,accesspolicies
works
say 'orders-read needs one yes of group dba; orders-fix needs two people, one of them the task'"'"'s reviewer.'
say 'Who may ask and who may answer is RBAC:'
as alice kubectl auth can-i review accesspolicies/orders-fix
works
said '^yes$'
as bob kubectl auth can-i use accesspolicies/orders-fix
works
said '^yes$'
as bob kubectl auth can-i review accesspolicies/orders-fix
said '^no'
