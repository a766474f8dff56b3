# shellcheck shell=bash
# How the demo talks. A line with a prompt is a command that runs as it is printed; what
# follows it is what it printed. Nothing is shown that is not checked.

bold='' dim='' red='' green='' cyan='' plain='' live=''
if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
	bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' cyan=$'\e[36m' plain=$'\e[0m' live=1
fi

# What the last command printed, and its exit status.
output='' status=0

now() { local t=${EPOCHREALTIME/[.,]/}; echo "${t:0:-3}"; }
seconds() { printf '%d.%02d s' $(($1 / 1000)) $(($1 % 1000 / 10)); }

# The table at the end: what was shown, and how long it took.
shown=() measured=() scene='' scene_began=0

chapter() { # TITLE
	finish_chapter
	scene=$1 scene_began=$(now)
	printf '\n%s%d. %s%s\n' "$bold" $((${#shown[@]} + 1)) "$1" "$plain"
}

finish_chapter() {
	[[ -z $scene ]] || shown+=("$scene"$'\t'"$(($(now) - scene_began))")
	scene=''
}

took() { measured+=("$1"$'\t'"$2"); } # WHAT MILLISECONDS

say() { printf '%s   %s%s\n' "$dim" "$*" "$plain"; }

fail() { # MESSAGE
	finish_line
	printf '%sThe demo failed%s%s: %s\n' "$red$bold" "${scene:+ in \"$scene\"}" "$plain" "$1" >&2
	exit 1
}

indent() { sed "s/^/     /"; }

# quoted prints a command as one would type it.
quoted() {
	local word line=''
	for word in "$@"; do
		case $word in
		*\'*) word="\"$word\"" ;;
		'' | *[^A-Za-z0-9_@%+=:,./-]*) word="'$word'" ;;
		esac
		line+="$word "
	done
	echo "${line% }"
}

prompt() { # WHO COMMAND…
	local who=$1
	shift
	printf '   %s%s$%s %s\n' "$cyan" "$who" "$plain" "$(quoted "$@")"
}

# as runs a command as a person, prints both, and keeps the output.
as() { # WHO COMMAND…
	prompt "$@"
	status=0
	output=$(person "$@" 2>&1) || status=$?
	[[ -z $output ]] || indent <<<"$output"
}

works() { ((status == 0)) || fail "that command should have worked, and ended with status $status"; }

said() { # EXTENDED-REGEXP
	grep -Eq -- "$1" <<<"$output" || fail "expected the answer to say: $1"
}

refused() { # EXTENDED-REGEXP
	((status != 0)) || fail "that command should have been refused"
	said "$1"
	printf '     %s✓ refused, and told why%s\n' "$green" "$plain"
}

checked() { printf '     %s✓ %s%s\n' "$green" "$*" "$plain"; }

progress() { [[ -z $live ]] || printf '\r\e[K   %s%s%s' "$dim" "$1" "$plain"; }
finish_line() { [[ -z $live ]] || printf '\r\e[K'; }

spinner='|/-\'

# step runs a long command under a moving line; its output goes to a log.
step() { # WHAT COMMAND…
	local what=$1 began log spin=0 last
	shift
	began=$(now)
	mkdir -p "$state/logs"
	log="$state/logs/$(tr -cs 'A-Za-z0-9\n' - <<<"$what").log"
	[[ -n $live ]] || printf '   %s …\n' "$what"
	"$@" >"$log" 2>&1 &
	local pid=$!
	while [[ -n $live ]] && kill -0 $pid 2>/dev/null; do
		last=$(tail -c 400 "$log" | tr -d '\r' | tail -n 1 | cut -c 1-70)
		progress "${spinner:spin++%4:1} $what $((($(now) - began) / 1000)) s  $last"
		sleep 0.2
	done
	if ! wait $pid; then
		finish_line
		tail -n 30 "$log" >&2
		fail "$what; all of it is in $log"
	fi
	finish_line
	printf '   %s✓%s %s %s(%s)%s\n' "$green" "$plain" "$what" "$dim" "$(seconds $(($(now) - began)))" "$plain"
}

# await polls until a command succeeds.
await() { # SECONDS WHAT COMMAND…
	local limit=$1 what=$2 began spin=0
	shift 2
	began=$(now)
	until "$@" >/dev/null 2>&1; do
		(($(now) - began < limit * 1000)) || fail "$what: not within $limit s"
		progress "${spinner:spin++%4:1} waiting until $what"
		sleep 0.1
	done
	finish_line
}

# summary is the table at the end.
summary() {
	local row
	printf '\n%sWhat was shown%s\n' "$bold" "$plain"
	for row in "${shown[@]}"; do
		printf '   %-58s %9s\n' "${row%$'\t'*}" "$(seconds "${row#*$'\t'}")"
	done
	printf '\n%sHow long it took, as measured here, the start of each command included%s\n' "$bold" "$plain"
	for row in "${measured[@]}"; do
		printf '   %-58s %9s\n' "${row%$'\t'*}" "$(seconds "${row#*$'\t'}")"
	done
}
