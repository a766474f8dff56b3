# shellcheck shell=bash
chapter 'bob works, within the grant and no further'
query "SELECT currency, invoiced_in, count(*) FROM orders WHERE placed_on = '2026-05-12' GROUP BY 1, 2 ORDER BY 1, 2;"
said 'USD'
say 'PostgreSQL sees the role of this task, and nobody else:'
on_target "SELECT usename, application_name, ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE datname = 'orders' AND usename <> current_user"
role=$(kubectl -n "$namespace" get taskaccessrequest "$task" -o jsonpath='{.status.credential.name}')
[[ -n $role ]] || fail 'the status should name the role'
said "$role"
said 'PAY-1423'
query 'DROP TABLE orders;'
said 'ERROR: .*policy "orders-fix", rule "'
query "UPDATE customers SET email = 'bob@shop.example' WHERE id = 1;"
said 'ERROR: .*policy "orders-fix", rule "grant": the grant lacks UPDATE on public.customers'
say 'Both refused before they reached PostgreSQL, and the session goes on:'
query "UPDATE orders SET currency = invoiced_in WHERE placed_on = '2026-05-12' AND currency <> invoiced_in;"
said 'UPDATE [1-9]'
[[ $(target_says "SELECT count(*) FROM orders WHERE currency <> invoiced_in") == 0 ]] || fail 'the orders should be right now'
[[ $(target_says "SELECT email FROM customers WHERE id = 1") == customer1@shop.example ]] || fail 'the customer should be untouched'
checked 'the orders of 12 May are right; customers is untouched'
