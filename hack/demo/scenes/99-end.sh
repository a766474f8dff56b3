# shellcheck shell=bash
finish_chapter
summary
cat <<-TEXT

	${bold}The cluster stays up. Try next${plain}
	   hack/demo/as.sh bob kubectl access request --task PAY-1426 --type read --target orders --reason "look at one order"
	   hack/demo/as.sh bob kubectl access psql pay-1426        # waits; in another terminal:
	   hack/demo/as.sh alice kubectl approve                   # her inbox
	   hack/demo/as.sh alice kubectl approve pay-1426 -m "go ahead"
	   hack/demo/as.sh bob kubectl access close pay-1426 --wait
	   hack/demo/as.sh alice kubectl access replay pay-1426
	   hack/demo/as.sh admin kubectl get access -A
	   make demo-down                                          # removes every trace

TEXT
