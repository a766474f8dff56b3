# shellcheck shell=bash
chapter 'A cluster, and a database that somebody needs access to'
if [[ $cluster == existing ]]; then
	say 'The cluster of your KUBECONFIG, and the PostgreSQL server of PG_HOST.'
	kubectl get nodes >/dev/null || fail 'the cluster of KUBECONFIG does not answer'
else
	step "Starting the embedded cluster \"$cluster\"" hack/cluster/cluster.sh up --name "$cluster"
	step 'Starting PostgreSQL beside it' hack/cluster/cluster.sh postgres start --name "$cluster"
	set -a
	# shellcheck disable=SC1090
	source <(hack/cluster/cluster.sh env --name "$cluster")
	set +a
	PATH=$KUBEBUILDER_ASSETS:$PATH
fi
connect_target
if kubectl get namespace "$namespace" >/dev/null 2>&1; then
	# An earlier demo's requests close before their namespace goes.
	step "Removing the namespace $namespace of an earlier demo" kubectl delete namespace "$namespace" --timeout 120s
fi
step 'Filling the database orders' make_orders
on_target 'SELECT (SELECT count(*) FROM customers) AS customers, (SELECT count(*) FROM orders) AS orders'
[[ $(target_says 'SELECT count(*) FROM orders') == 9000 ]] || fail 'there should be 9000 orders'
