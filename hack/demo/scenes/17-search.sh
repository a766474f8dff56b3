# shellcheck shell=bash
chapter 'Afterwards: who did what, in all of it'
as alice kubectl access sessions
works
for request in "$task" "$cleanup" "$reading"; do said "^$request +[0-9a-f-]+ +bob .*Complete +Yes"; done
as alice kubectl access search --relation public.orders --kind delete
works
said "DELETE FROM orders WHERE placed_on < '2026-03-03'"
as alice kubectl access search --verdict Deny --text 'drop table'
works
said "$task"
said 'DROP TABLE orders'
as alice kubectl access verify "$cleanup"
works
said 'OK: complete'
said 'signed up to segment 1 '
