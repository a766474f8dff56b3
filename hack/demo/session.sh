# shellcheck shell=bash
# bob's psql: the real one, in the background, typed into through a pipe. What it prints is
# shown as it comes.

psql_pid='' psql_lines=0 psql_marks=0

open_psql() { # COMMAND…
	psql_out=$state/psql.out
	rm -f "$state/psql.in" "$psql_out"
	mkfifo "$state/psql.in"
	: >"$psql_out"
	prompt bob "$@"
	# The task outlives any single command's patience.
	(SALLYPORT_DEMO_PATIENCE=1800 person exec bob "$@") <"$state/psql.in" >"$psql_out" 2>&1 &
	psql_pid=$!
	exec {psql_in}>"$state/psql.in"
	psql_lines=0
}

# type_psql sends a line without waiting for its answer.
type_psql() { # SQL
	printf '   %sorders=>%s %s\n' "$cyan" "$plain" "$1"
	printf '%s\n' "$1" >&"$psql_in"
}

# psql_shows waits until psql has printed something new that fits, and prints it all.
psql_shows() { # SECONDS EXTENDED-REGEXP
	await "$1" "psql prints: $2" psql_printed_or_over "$2"
	print_psql
	said "$2"
}

psql_printed_or_over() { psql_printed "$1" || psql_over; }

psql_printed() { tail -n +$((psql_lines + 1)) "$psql_out" | grep -Eq -- "$1"; }

# print_psql prints what psql has printed since, and keeps it in $output.
print_psql() {
	output=$(tail -n +$((psql_lines + 1)) "$psql_out" | grep -v '^answered [0-9]*$' || true)
	psql_lines=$(wc -l <"$psql_out")
	[[ -z $output ]] || indent <<<"$output"
}

# query types a statement, and waits until psql is ready for the next.
query() { # SQL
	type_psql "$1"
	printf '\\echo answered %d\n' $((++psql_marks)) >&"$psql_in"
	await 30 "psql answers" psql_answered
	print_psql
}

psql_answered() { grep -q "^answered $psql_marks\$" "$psql_out" || psql_over; }

psql_over() { ! kill -0 "$psql_pid" 2>/dev/null; }

close_psql() {
	[[ -n $psql_pid ]] || return 0
	exec {psql_in}>&- || true
	kill "$psql_pid" 2>/dev/null || true
	wait "$psql_pid" 2>/dev/null || true
	psql_pid=''
}

# stamp writes the time at which psql first prints something new that fits.
stamp() { # FILE EXTENDED-REGEXP
	(
		for ((n = 0; n < 6000; n++)); do
			if psql_printed "$2"; then
				now >"$1"
				exit 0
			fi
			sleep 0.01
		done
		exit 1
	) &
	stamp_pid=$!
}
