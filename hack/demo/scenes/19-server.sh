# shellcheck shell=bash
chapter 'A server, with ordinary ssh, scp and sftp'
if [[ $cluster == existing ]]; then
	say 'Left out: this scene has an SSH server of the embedded cluster.'
else
	web=web-7

	# The server trusts an authority that is this target's alone, and no login's key.
	make_server() {
		kubectl apply -f - <<-YAML
			apiVersion: access.sallyport.dev/v1alpha1
			kind: AccessTarget
			metadata: {name: web, namespace: $namespace}
			spec: {ssh: {host: $SSH_NAME, port: $SSH_PORT, hostKeys: ["$(cut -d ' ' -f 1,2 "$SSH_HOST_KEY_FILE")"], logins: [deploy], certificateSeconds: 30}}
			---
			apiVersion: access.sallyport.dev/v1alpha1
			kind: AccessPolicy
			metadata: {name: web-deploy, namespace: $namespace}
			spec:
			  taskTypes: [deploy]
			  targets: [web]
			  isolation: Required
			  grant:
			    ssh:
			      logins: [deploy]
			      commands: [{argv: [cat, /srv/www/*]}, {argv: [tail, -f, /srv/www/*]}, {argv: [touch, /srv/www/*]}]
			      files: [{path: /srv/www/**, access: [Read, Write]}]
			  rules:
			  - {name: restart, when: 'action.commands.exists(c, c.name == "touch")', effect: Hold, message: customers notice a restart}
			  review: {requirements: [{name: dba, groups: [dba]}]}
			---
			apiVersion: rbac.authorization.k8s.io/v1
			kind: Role
			metadata: {name: web, namespace: $namespace}
			rules: [{apiGroups: [access.sallyport.dev], resources: [accesspolicies], resourceNames: [web-deploy], verbs: [use, review]}]
			---
			apiVersion: rbac.authorization.k8s.io/v1
			kind: RoleBinding
			metadata: {name: web, namespace: $namespace}
			roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: web}
			subjects:
			- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: engineering}
			- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: dba}
		YAML
		kubectl -n "$namespace" wait --for=jsonpath='{.status.certificateAuthority}' accesstarget/web --timeout 30s
		kubectl -n "$namespace" get accesstarget web -o jsonpath='{.status.certificateAuthority}{"\n"}' >"$SSH_CA_KEYS_FILE"
		kubectl -n sallyport-targets create secret generic "$namespace.web" --dry-run=client -o yaml \
			--from-literal=host="$SSH_NAME" --from-literal=port="$SSH_PORT" --from-file=host-keys="$SSH_HOST_KEY_FILE" |
			kubectl apply --server-side --force-conflicts -f -
		kubectl -n "$namespace" wait --for=condition=Ready accesstarget/web accesspolicy/web-deploy --timeout 60s
	}
	step 'Starting an SSH server beside the cluster' hack/cluster/cluster.sh ssh start --name "$cluster"
	set -a
	# shellcheck disable=SC1090
	source <(hack/cluster/cluster.sh env --name "$cluster")
	set +a
	step 'Making it a target, whose authority it trusts' make_server
	as bob kubectl access request --task WEB-7 --type deploy --target web --duration 30m --reason 'Publish the page for May.'
	works
	web_is() { [[ $(kubectl -n "$namespace" get taskaccessrequest "$web" -o "jsonpath=$1") == "$2" ]]; }
	await 30 'the review is open' web_is '{.status.conditions[?(@.type=="Ready")].reason}' AwaitingReview
	as alice kubectl approve "$web" -m 'go ahead'
	works
	await 60 'the task is granted' web_is '{.status.conditions[?(@.type=="Ready")].reason}' Active
	as bob kubectl access ssh "$web" -- cat /srv/www/index.html
	works
	said 'Orders'
	as bob kubectl access ssh "$web" -- cat /etc/passwd
	refused 'sallyport: refused by policy web-deploy'
	printf '<h1>Orders of May</h1>\n' >"$state/people/bob/index.html"
	as bob kubectl access scp "$web" -- -q dist/demo/people/bob/index.html :/srv/www/index.html
	works
	as bob kubectl access scp "$web" -- -q :/srv/www/../logs/app.log /dev/null
	((status != 0)) || fail 'a file outside of the grant came out'
	checked 'a path is judged where it leads'

	held_out=$state/server.out
	rm -f "$SSH_ROOT/srv/www/restart"
	prompt bob kubectl access ssh "$web" -- touch /srv/www/restart
	person exec bob kubectl access ssh "$web" -- touch /srv/www/restart >"$held_out" 2>&1 &
	held_pid=$!
	await 15 'the command is held' grep -q 'kubectl approve ' "$held_out"
	indent <"$held_out"
	review=$(grep -Eo "kubectl approve $web-[a-z0-9-]+" "$held_out" | head -n 1)
	began=$(now)
	as alice kubectl approve "${review##* }" -m 'nobody is on it now'
	works
	wait "$held_pid" || fail 'the approved command failed'
	took 'approve → the held command has run' $(($(now) - began))
	[[ -e $SSH_ROOT/srv/www/restart ]] || fail 'the command should have run'
	checked 'approved, and done'

	prompt bob kubectl access ssh "$web" -- tail -f /srv/www/index.html
	person exec bob kubectl access ssh "$web" -- tail -f /srv/www/index.html >"$held_out" 2>&1 &
	held_pid=$!
	await 15 'tail has something' grep -q May "$held_out"
	began=$(now)
	as alice kubectl access close "$web"
	works
	wait "$held_pid" && fail 'tail should not have succeeded'
	took 'close → ssh is out' $(($(now) - began))
	output=$(cat "$held_out")
	indent <<<"$output"
	said 'the request was closed'
	as bob kubectl access ssh "$web" -- cat /srv/www/index.html
	refused 'over|clos'
	as alice kubectl access replay "$web"
	works
	said 'cat /etc/passwd'
	said 'approved by alice'
fi
