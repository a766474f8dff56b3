# shellcheck shell=bash
chapter 'alice and carol look, and say yes; psql goes on by itself'
as alice kubectl approve
works
said 'PAY-1423'
as alice kubectl approve show "$task"
works
said 'UPDATE'
as alice kubectl approve "$task" -m 'looks right'
works
said 'task-reviewer'
psql_printed 'rows?\)' && fail 'one yes is not enough here'
say 'One of two. bob still waits, and is told for whom:'
psql_shows 10 'NOTICE: .*task-reviewer'
stamp "$state/first-row" 'rows?\)'
began=$(now)
as carol kubectl approve "$task" -m 'agreed with accounting'
works
said 'Approved'
wait "$stamp_pid" || fail 'psql did not go on'
took 'approve → first row in the psql that waited' $(($(cat "$state/first-row") - began))
psql_shows 10 '\(4 rows\)'
as bob kubectl get tar
works
said 'Active'
