# shellcheck shell=bash
chapter 'Nothing is left'
on_target "SELECT count(*) AS roles FROM pg_roles WHERE rolname = '$role'"
[[ $(target_says "SELECT count(*) FROM pg_roles WHERE rolname = '$role'") == 0 ]] || fail 'the role is still there'
[[ $(target_says "SELECT count(*) FROM pg_stat_activity WHERE usename = '$role'") == 0 ]] || fail 'the role is still connected'
as admin kubectl -n sallyport-proxies get pods,services,serviceaccounts,networkpolicies,roles,rolebindings -l "access.sallyport.dev/request-uid=$uid"
works
said 'No resources found'
as alice kubectl get tar -o wide
works
said "$task .*Closed"
said "$role|absent|gone"
as bob kubectl access psql "$task"
refused 'over|closed'
