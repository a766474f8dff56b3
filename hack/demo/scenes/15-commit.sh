# shellcheck shell=bash
chapter 'A transaction runs, and its COMMIT waits for somebody who has seen what it did'
query "DELETE FROM orders WHERE placed_on < '2026-03-03';"
said 'ERROR: .*[Bb]egin a transaction'
query 'BEGIN;'
query "DELETE FROM orders WHERE placed_on < '2026-03-03';"
said 'DELETE [1-9]'
deleted=$(grep -Eo 'DELETE [0-9]+' <<<"$output" | grep -Eo '[0-9]+')
type_psql 'COMMIT;'
psql_shows 15 'NOTICE: .*kubectl approve'
review=$(grep -Eo "$cleanup-[a-z0-9-]+" <<<"$output" | head -n 1)
as alice kubectl approve show "$review"
works
said 'public.orders'
said "$deleted"
[[ $(target_says 'SELECT count(*) FROM orders') == 9000 ]] || fail 'nobody else may see it yet'
checked "alice sees $deleted rows deleted; everybody else still sees 9000 orders"
began=$(now)
stamp "$state/committed" '^COMMIT$'
as alice kubectl approve "$review" -m 'those two days, and nothing else'
works
wait "$stamp_pid" || fail 'psql did not go on'
took 'approve → COMMIT in the psql that waited' $(($(cat "$state/committed") - began))
psql_shows 10 'COMMIT'
[[ $(target_says 'SELECT count(*) FROM orders') == $((9000 - deleted)) ]] || fail 'the orders should be gone'
checked 'committed'
close_psql
as bob kubectl access close "$cleanup" --wait
works
as alice kubectl access replay "$cleanup"
works
said 'say which'
said 'Approved: approved by alice'
said 'masked 2 values: column public.customers.email'
