# shellcheck shell=bash
chapter 'alice closes the task, in the middle of bob'"'"'s work'
say 'A transaction that is not committed, and a query that would run for hours:'
query 'BEGIN; UPDATE orders SET amount = 0 WHERE id = 1;'
said 'UPDATE 1'
type_psql 'SELECT count(*) FROM orders a, orders b, orders c;'
running() { [[ $(target_says "SELECT count(*) FROM pg_stat_activity WHERE usename = '$role' AND state = 'active'") == 1 ]]; }
await 10 'the query runs' running
stamp "$state/session-end" 'FATAL|ERROR|server closed|connection'
began=$(now)
prompt alice kubectl access close "$task" --wait
person alice kubectl access close "$task" --wait >"$state/close.out" 2>&1 &
closing=$!
wait "$stamp_pid" || fail "bob's session did not end"
took 'close → bob'"'"'s session ended' $(($(cat "$state/session-end") - began))
status=0
wait "$closing" || status=$?
took 'close → proof that nothing is left' $(($(now) - began))
output=$(cat "$state/close.out")
indent <<<"$output"
works
said 'is closed: '
output=''
say "bob's psql:"
psql_shows 10 'FATAL|closed|over'
said 'closed|over'
await 10 'psql has ended' psql_over
close_psql
[[ $(target_says 'SELECT amount FROM orders WHERE id = 1') == 5.37 ]] || fail 'the open transaction should have been rolled back'
checked 'what he had not committed is not there'
