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
	rm -rf "$state/changed"
	cp -r "$SALLYPORT_RECORDINGS/$uid" "$state/changed"
	segments=("$state"/changed/*/00000001.seg)
	# Into the middle of what was compressed: two bytes.
	printf 'XX' | dd of="${segments[0]}" bs=1 seek=$(($(stat -c %s "${segments[0]}") * 3 / 4)) conv=notrunc status=none
	as alice kubectl access verify "$task" --from dist/demo/changed
	refused 'FAILED: corrupt \(Flip\) at segment 1'
fi
