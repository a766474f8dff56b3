# shellcheck shell=bash
chapter 'A third task, and alice looks over bob'"'"'s shoulder'
reading=pay-1425
as bob kubectl access request --task PAY-1425 --type read --target orders --duration 30m \
	--reason 'Count the orders of May for accounting.'
works
reading_is() { [[ $(kubectl -n "$namespace" get taskaccessrequest "$reading" -o "jsonpath=$1") == "$2" ]]; }
await 30 'the review is open' reading_is '{.status.conditions[?(@.type=="Ready")].reason}' AwaitingReview
as alice kubectl approve "$reading" -m 'go ahead'
works
await 60 'the task is granted' reading_is '{.status.conditions[?(@.type=="Ready")].reason}' Active
open_psql kubectl access psql "$reading"
query 'SELECT count(*) FROM orders;'
prompt alice kubectl access tail "$reading"
tail_out=$state/tail.out
(SALLYPORT_DEMO_PATIENCE=300 person exec alice kubectl access tail "$reading") >"$tail_out" 2>&1 &
tail_pid=$!
tail_shows() { grep -Eq -- "$1" "$tail_out"; }
tail_over() { ! kill -0 "$tail_pid" 2>/dev/null; }
await 20 'alice sees what has been' tail_shows 'SELECT count\(\*\) FROM orders;'
say 'She sees what has been. Now bob goes on:'
began=$(now)
query "SELECT count(*) FROM orders WHERE placed_on >= '2026-05-01';"
await 10 'alice sees it, too' tail_shows "placed_on >= '2026-05-01'"
took 'typed into psql → seen by kubectl access tail' $(($(now) - began))
close_psql
as bob kubectl access close "$reading" --wait
works
await 20 'tail has ended by itself' tail_over
output=$(cat "$tail_out")
say 'All that alice saw, until the session ended:'
indent <<<"$output"
said 'ession.*end'
