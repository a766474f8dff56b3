# shellcheck shell=bash
chapter 'bob connects before anybody has answered: psql is held'
open_psql kubectl access psql "$task"
psql_shows 60 'NOTICE: .*waits for'
said 'orders-fix'
said 'kubectl approve'
say 'bob types his first query all the same; it waits with the connection.'
type_psql 'SELECT id, placed_on, amount, currency, invoiced_in FROM orders WHERE placed_on = '"'2026-05-12'"' ORDER BY id LIMIT 4;'
sleep 1
psql_over && fail 'psql should be waiting'
psql_printed 'rows?\)' && fail 'nothing may have reached the target'
checked 'psql waits'
