# shellcheck shell=bash
chapter 'What happened is on record, and the record is whole'
as alice kubectl access replay "$task"
works
said 'DROP TABLE orders'
said 'UPDATE orders SET currency'
as alice kubectl access verify "$task"
works
