# shellcheck shell=bash
chapter 'Evidence, checked where nothing is known of this cluster'
as alice kubectl access export "$cleanup" --format html -o dist/demo/pay-1424.html
works
page=$state/pay-1424.html
grep -q 'DELETE FROM orders WHERE placed_on' "$page" || fail 'the page should have the statement'
grep -Eq '(src|href)="?https?:|@import|url\(http' "$page" && fail 'the page should need nothing beside itself'
checked "one page with player and search, that needs nothing beside itself: $(($(stat -c %s "$page") / 1024)) KiB"
as alice kubectl access evidence "$cleanup" -o dist/demo/pay-1424.tar
works
said 'SHA-256 of its manifest [0-9a-f]{64}'
say 'The public key comes from the operator'"'"'s owners, not with the bundle:'
as admin kubectl -n sallyport-proxies get configmap sallyport-recording-keys -o 'go-template={{range .data}}{{.}}{{end}}'
works
said 'BEGIN PUBLIC KEY'
printf '%s\n' "$output" >"$state/recording-key.pem"

# Another machine: no kubeconfig, and no network, where one can be taken away here.
mkdir -p "$state/people/auditor"
away=()
if unshare --net true 2>/dev/null; then
	away=(unshare --net)
elif unshare --map-root-user --net true 2>/dev/null; then
	away=(unshare --map-root-user --net)
fi
as auditor "${away[@]}" kubectl-access evidence verify dist/demo/pay-1424.tar --key dist/demo/recording-key.pem
works
said 'signed to its end'
said 'OK +session .*held, and approved by review'
said 'OK +teardown'
say 'Somebody changes one byte of a recording in it:'
cp "$state/pay-1424.tar" "$state/forged.tar"
at=$(grep -abo '"format":"sallyport-segment"' "$state/forged.tar" | head -n 1)
printf 'X' | dd of="$state/forged.tar" bs=1 seek=$((${at%%:*} + 700)) conv=notrunc status=none
as auditor "${away[@]}" kubectl-access evidence verify dist/demo/forged.tar --key dist/demo/recording-key.pem
refused 'FAILED +session [0-9a-f-]+: .*segment 1'
