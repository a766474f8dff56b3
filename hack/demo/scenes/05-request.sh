# shellcheck shell=bash
chapter 'bob asks, for task PAY-1423'
say 'bob writes his request with the plugin, which adds the public half of a key made for it.'
as bob kubectl access request --task PAY-1423 --type data-fix --target orders --reviewer carol \
	--url https://tracker.example/browse/PAY-1423 --duration 30m --dry-run \
	--reason 'Orders of 12 May carry the wrong currency; set it from the invoice.'
works
printf '%s\n' "$output" >"$state/request.yaml"
began=$(now)
as bob kubectl apply -f dist/demo/request.yaml
works
uid=$(kubectl -n "$namespace" get taskaccessrequest "$task" -o jsonpath='{.metadata.uid}')
request_is() { [[ $(kubectl -n "$namespace" get taskaccessrequest "$task" -o "jsonpath=$1") == "$2" ]]; }
await 30 'the review is open' request_is '{.status.conditions[?(@.type=="Ready")].reason}' AwaitingReview
await 60 'the proxy listens' request_is '{.status.conditions[?(@.type=="ProxyReady")].status}' True
took 'request → proxy ready' $(($(now) - began))
as bob kubectl get tar
works
said 'AwaitingReview'
proxy=$(kubectl -n "$namespace" get taskaccessrequest "$task" -o jsonpath='{.status.endpoint.pod}')
say 'Its proxy runs already: a pod for this task alone, without any credential.'
as admin kubectl -n sallyport-proxies get pod,networkpolicy "$proxy"
works
said 'Running'
on_target "SELECT count(*) AS roles_of_tasks FROM pg_roles WHERE rolname LIKE 'sp\\_%'"
request_is '{.status.credential}' '' || fail 'there should be no credential yet'
checked 'no credential has been made'
if [[ ${SALLYPORT_DEMO_ISOLATION:-Required} == Required ]]; then
	await 30 'the proxy has tried to break out' request_is '{.status.conditions[?(@.type=="Isolated")].status}' True
	checked 'it has tried to reach the API server, and could not'
fi
