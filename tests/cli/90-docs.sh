#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Help, man pages, README and completion tell the same story as the program.
. "$(dirname "$0")/../lib.sh"

has() { command -v "$1" >/dev/null; }
joined() { paste -sd " "; }

# What the program says of itself.
mapfile -t verbs < <("$xft" help | sed -nE 's/^  ([a-z]+) .*/\1/p')
mapfile -t subs < <("$xft" guest --help | sed -nE 's/^  ([a-z]+) .*/\1/p')
all=()
for verb in "${verbs[@]}"; do all+=("$verb"); done
for sub in "${subs[@]}"; do all+=("guest $sub"); done
mapfile -t store_subs < <("$xft" store --help | sed -nE 's/^  ([a-z]+) .*/\1/p')
for sub in "${store_subs[@]}"; do all+=("store $sub"); done
for sub in make show; do all+=("baseline $sub"); done
check "store --help lists its verbs" [ "${#store_subs[@]}" -ge 3 ]
check "help lists the verbs" [ "${#verbs[@]}" -ge 6 ]
check "guest --help lists its verbs" [ "${#subs[@]}" -ge 4 ]

options() { # VERB... -- every option, long and short
	"$xft" "$@" --help | sed -nE 's/^  (-[a-zA-Z],|   ) (--[a-z-]+)(\[.*\])?( .*)?$/\1 \2/p' |
		tr -s ', ' '\n' | grep .
}

# --help of everything
for words in "${all[@]}"; do
	read -ra v <<<"$words"
	if "$xft" "${v[@]}" --help >out 2>err && [ ! -s err ] &&
		head -n 1 out | grep -q "^usage: xftrace $words" &&
		"$xft" "${v[@]}" -h | cmp -s - out; then
		ok "$words --help"
	else
		not_ok "$words --help: $(cat err)"
	fi
	check "help $words" cmp -s out <("$xft" help "${v[@]}")
	check "$words --help fits 80 columns" [ "$(wc -L <out)" -le 80 ]
done
check "help works without a verb" cmp -s <("$xft" help) <("$xft" --help)
fails "a verb that is unknown" 2 "no verb 'nonsense'" "$xft" nonsense
fails "help on a verb that is unknown" 2 "no verb 'nonsense'" "$xft" help nonsense
check "--version" [ "$("$xft" --version)" = "xftrace $(cat "$top/VERSION")" ]

# Man pages
page() { mandoc -Tutf8 -Owidth=100 "$1" | sed 's/.\x08//g'; }
undocumented() { # PAGE VERB... -- options that the page lacks
	local file=$1 o
	shift
	page "$file" >text
	for o in $(options "$@"); do
		grep -qE -- "(^|[^a-z-])$o([^a-z-]|$)" text || echo "$o"
	done
}
if has mandoc; then
	for words in "${all[@]}"; do
		read -ra v <<<"$words"
		file=$top/man/xftrace-${v[0]}.1
		if [ ! -e "$file" ]; then
			not_ok "$words has a man page"
			continue
		fi
		missing=$(undocumented "$file" "${v[@]}" | joined)
		if [ "$missing" ]; then
			not_ok "$words: not in its man page: $missing"
		else
			ok "$words: its man page has its options"
		fi
	done
	for verb in "${verbs[@]}"; do
		# The other way round; guest's page is that of all its verbs.
		for words in "${all[@]}"; do
			read -ra v <<<"$words"
			[ "${v[0]}" != "$verb" ] || options "${v[@]}"
		done | sort -u >known
		sed -nE '/^\.It Fl/{s/^\.It//;s/ Fl -/ --/g;s/ Fl / -/g;s/ , -/ --/g;p}' \
			"$top/man/xftrace-$verb.1" | grep -oE -- '--?[a-z-]+' |
			grep -vxE -- '-h|--help' | sort -u >written
		extra=$(grep -vxFf known written | joined)
		if [ "$extra" ]; then
			not_ok "$verb: in its man page only: $extra"
		else
			ok "$verb: its man page invents nothing"
		fi
	done
	for verb in "${verbs[@]}"; do
		check "xftrace(1) names $verb" \
			grep -q "^\.Xr xftrace-$verb 1" "$top/man/xftrace.1"
	done
	for file in "$top"/man/*.[1-9]; do
		mandoc -Tlint -Wwarning "$file" >lint 2>&1
		if [ -s lint ]; then
			not_ok "${file##*/} is clean: $(head -n 3 lint)"
		else
			ok "${file##*/} is clean"
		fi
		for name in EXAMPLES 'SEE ALSO'; do
			check "${file##*/} has $name" grep -q "^\.Sh $name" "$file"
		done
	done
else
	skip "man pages: no mandoc"
fi

# What the README and other pages tell people to do, in code
for target in $(grep -ohE '(^ {4,}|`)make [a-z][a-z-]*' "$top"/README.md \
	"$top"/CONTRIBUTING.md "$top"/docs/*.md | awk '{ print $NF }' | sort -u); do
	check "make $target is a target" \
		grep -qE "^([a-z-]+ )*$target( [a-z-]+)*:" "$top/Makefile"
done
# A command stands at the beginning of an indented line.
sed -nE 's/^ {4}[ $#]*(build\/)?xftrace ([a-z]+)( ([a-z]+))?.*/\2 \4/p' \
	"$top"/README.md "$top"/docs/*.md | sort -u >commands
while read -r verb sub; do
	case " ${verbs[*]} help " in
	*" $verb "*) ok "README: xftrace $verb is a verb" ;;
	*) not_ok "README: xftrace $verb is no verb" ;;
	esac
	[ "$verb" != guest ] || check "README: guest $sub is a verb" \
		grep -qx "$sub" <(printf '%s\n' "${subs[@]}")
done <commands
for file in "$top"/*.md "$top"/docs/*.md; do
	bad=
	for link in $(grep -oE '\]\([^)#: ]+' "$file" | cut -c3-); do
		[ -e "$(dirname "$file")/$link" ] || bad="$bad $link"
	done
	if [ "$bad" ]; then
		not_ok "${file#"$top"/}: links to nothing:$bad"
	else
		ok "${file#"$top"/}: its links lead somewhere"
	fi
done

# Completion
# shellcheck source=../../scripts/completion.bash
. "$top/scripts/completion.bash"
completes() { # NAME EXPECTED WORD... -- sorted answers to the last word
	local name=$1 expected=$2
	shift 2
	COMP_WORDS=("$xft" "$@") COMP_CWORD=$# COMPREPLY=()
	_xftrace "$xft" 2>completion.err
	local got
	got=$(sorted "${COMPREPLY[@]}")
	if [ "$got" = "$expected" ] && [ ! -s completion.err ]; then
		ok "completion: $name"
	else
		not_ok "completion: $name: '$got', not '$expected' $(cat completion.err)"
	fi
}
sorted() { printf "%s\n" "$@" | sort | joined; }
completes "verbs" "$(sorted "${verbs[@]}" help)" ''
completes "a verb that has begun" "$(sorted report)" rep
completes "help VERB" "$(sorted "${verbs[@]}")" help ''
completes "help guest VERB" "$(sorted "${subs[@]}")" help guest ''
completes "help store VERB" "$(sorted "${store_subs[@]}")" help store ''
completes "help report ends there" "" help report ''
completes "guest's verbs" "$(sorted "${subs[@]}")" guest ''
completes "options before the verb" "--quiet" --q
for words in "${all[@]}"; do
	read -ra v <<<"$words"
	[[ " guest store baseline " == *" $words "* ]] ||
		completes "options of $words" \
			"$(options "${v[@]}" | grep -- -- | sort | joined)" \
			"${v[@]}" --
done
completes "an option that has begun" "--guest" on --gu
mkdir -p "$XFTRACE_RUNTIME/guests/web1" "$XFTRACE_RUNTIME/guests/web2"
for name in web1 web2; do
	echo '{"name": "'$name'", "pid": 0}' >"$XFTRACE_RUNTIME/guests/$name/guest.json"
done
completes "guests after --guest" "web1 web2" on --guest ''
completes "guests after -g" "web1 web2" off -g we
completes "guests after --guest=" "web1 web2" status --guest = web
completes "guests of guest stop" "web1 web2" guest stop ''
for words in on batch 'baseline make' 'guest start'; do
	read -ra v <<<"$words"
	completes "no guest after --name of $words" "" "${v[@]}" --name ''
	completes "nor after its -n" "" "${v[@]}" -n we
done
completes "what --accel takes" "kvm" guest start --accel k
completes "what --mask takes" "sealed xor" on --mask ''
completes "what --mask= of batch takes" "sealed" batch --mask = s
touch one.xft two.map
completes "files after -o" "one.xft" off -o on
completes "files after --symbols" "two.map" on --symbols tw
completes "files of report" "one.xft" report on
completes "store's verbs" "$(sorted "${store_subs[@]}")" store ''
completes "what a store is made of" "one.xft" store create on
meta='{"guest": "g", "session": 1, "tsc_khz": 1000}'
"$O/stress/make_trace" one.store 1 "$meta"
for name in one two; do "$xft" -q import --name "$name" one.store; done
for verb in report show check dirty; do
	completes "traces of $verb, and files" "$(sorted text two.map two)" "$verb" t
done
"$O/stress/make_trace" -u kept.store 15 "a baseline"
for words in 'check -b' 'watch --baseline' 'batch -b' 'baseline show'; do
	read -ra v <<<"$words"
	XFTRACE_STORE=kept.store completes "kept baselines after $words, and files" \
		"$(sorted text trace two.map)" "${v[@]}" t
done
for verb in rm mv recover export; do
	completes "traces of $verb" "one" "$verb" o
done
completes "a file to export to" "two.map" export one tw
completes "no file for on" "" on on
rm -r "$XFTRACE_RUNTIME/guests"

# Sources
if has shellcheck; then
	mapfile -t scripts < <(find "$top"/scripts "$top"/tests "$top"/guest \
		"$top"/.ci -type f \( -name '*.sh' -o -name '*.bash' -o \
		-path '*/.ci/run' -o -path '*/demo/init' \) | sort)
	for file in "${scripts[@]}"; do
		shellcheck -S warning -x -P SCRIPTDIR -P "$top" "$file" >lint 2>&1
		if [ -s lint ]; then
			not_ok "shellcheck ${file#"$top"/}: $(grep -E '^(In|.*SC[0-9]+)' lint | joined)"
		else
			ok "shellcheck ${file#"$top"/}"
		fi
	done
else
	skip "shell scripts: no shellcheck"
fi
if has git && git -C "$top" -c safe.directory='*' ls-files >tracked 2>/dev/null &&
	[ -s tracked ]; then
	bare=
	while read -r file; do
		case $file in
		COPYING | VERSION | .gitignore | */.gitignore) continue ;;
		tests/data/*) continue ;; # README there speaks for them
		esac
		[ ! -e "$top/$file" ] ||
			head -n 5 "$top/$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-only' ||
			bare="$bare $file"
	done <tracked
	check "every file names its licence$bare" [ ! "$bare" ]
else
	skip "licence lines: no git checkout"
fi
