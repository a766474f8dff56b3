# shellcheck shell=bash
chapter 'bob tries to be his own reviewer, and somebody else'
as bob kubectl approve "$task" -m 'trust me'
refused '[Ff]orbidden'
say 'Suppose an administrator makes bob a reviewer by mistake:'
as admin kubectl -n "$namespace" create rolebinding bob-reviews --clusterrole sallyport-reviewer --user bob
works
as admin kubectl -n "$namespace" create rolebinding bob-reviews-orders --role review-orders --user bob
works
await 10 'the right is there' person bob kubectl auth can-i review accesspolicies/orders-fix
as bob kubectl approve "$task" -m 'trust me'
refused 'own request|requester'
kubectl -n "$namespace" delete rolebinding bob-reviews bob-reviews-orders >/dev/null
say 'He makes alice the requester, whose request he could then have approved:'
as bob kubectl patch tar "$task" --type merge --patch '{"spec":{"requester":{"username":"alice"}}}'
refused 'requester'
say 'And a new request that says it is from alice, as the API server would store it:'
sed -e 's/^spec:$/spec:\n  requester: {username: alice, groups: [dba]}/' -e "s/name: $task\$/name: forged/" \
	"$state/request.yaml" >"$state/forged.yaml"
as bob kubectl create -f dist/demo/forged.yaml --dry-run=server -o 'jsonpath={.spec.requester.username}'
if ((status == 0)); then
	[[ $output == bob ]] || fail 'the API server should have written bob'
	checked 'the API server wrote down who it really was'
else
	refused 'requester'
fi
