# shellcheck shell=bash
chapter 'One statement is held, inside an ordinary psql'
type_psql 'DELETE FROM orders;'
psql_shows 15 'NOTICE: .*kubectl approve'
review=$(grep -Eo "$cleanup-[a-z0-9-]+" <<<"$output" | head -n 1)
[[ -n $review ]] || fail 'the NOTICE should name the review'
[[ $(target_says 'SELECT count(*) FROM orders') == 9000 ]] || fail 'nothing may have reached the target'
say 'alice sees it at once, and what the planner makes of it:'
as alice kubectl approve
works
said 'DELETE FROM orders'
as alice kubectl approve show "$review"
works
said 'no WHERE'
said 'about [0-9]+ rows'
began=$(now)
stamp "$state/denied" 'ERROR'
as alice kubectl approve deny "$review" -m 'that is every order: say which'
works
wait "$stamp_pid" || fail 'psql was not told'
took 'deny → ERROR in psql' $(($(cat "$state/denied") - began))
psql_shows 10 'ERROR: .*whole-table'
said 'say which'
query 'SELECT count(*) FROM orders;'
said '9000'
checked 'refused with the reviewer'"'"'s words; the session goes on, and every order is there'
