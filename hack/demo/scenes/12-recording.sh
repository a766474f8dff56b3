# shellcheck shell=bash
chapter 'What happened is on record, and the record is whole'
as alice kubectl access replay "$task"
works
said 'DROP TABLE orders'
said 'UPDATE orders SET currency'
as alice kubectl access verify "$task"
works
said 'OK: complete'
as bob kubectl access replay "$task"
refused 'cannot get resource "taskaccessrequests/recording"'
if [[ -n ${SALLYPORT_RECORDINGS:-} ]]; then
	say 'Somebody with access to the volume itself changes a copy of it:'
	cp "$SALLYPORT_RECORDINGS/$uid/"*.rec "$state/changed.rec"
	as admin sed -i 's/DROP TABLE orders/SELECT  1  orders/' dist/demo/changed.rec
	works
	as alice kubectl access verify --file dist/demo/changed.rec
	refused 'FAILED: corrupt at line [0-9]+ '
fi
