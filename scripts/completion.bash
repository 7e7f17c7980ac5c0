# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# bash completion for xftrace. Verbs, options and what they take are read from
# 'xftrace help' and 'xftrace VERB --help', so nothing is written twice.

# Words that begin a line of --help, indented: verbs, or a verb's own verbs.
_xftrace_verbs() { # PROGRAM [VERB]
	"$@" --help 2>/dev/null | sed -nE 's/^  ([a-z]+) .*/\1/p'
}

_xftrace_options() { # PROGRAM VERB...
	"$@" --help 2>/dev/null |
		sed -nE 's/^  (-[a-zA-Z],|   ) --([a-z-]+)(\[.*\])?( .*)?$/--\2/p'
}

# What --help calls the value of an option: FILE, NAME, ...; empty for a flag.
_xftrace_value() { # OPTION PROGRAM VERB...
	local option=$1
	shift
	"$@" --help 2>/dev/null |
		sed -nE "s/^  (.*, | +)?$option ([^ ]+).*/\\2/p;
			s/^  $option, --[a-z-]+ ([^ ]+).*/\\1/p" | head -n 1
}

_xftrace_guests() { # PROGRAM
	"$1" -q guest list --json 2>/dev/null |
		sed -nE 's/^ *"name": "([^"]*)",?$/\1/p'
}

_xftrace_traces() { # PROGRAM
	"$1" -q ls --json 2>/dev/null |
		sed -nE 's/^ *"name": "([^"]*)",?$/\1/p'
}

_xftrace_baselines() { # PROGRAM -- those that are kept in the store
	"$1" -q ls 2>/dev/null | sed -nE 's/^([^ ]+) +baseline .*/\1/p'
}

# Names of events have a colon in them, which bash takes for a blank: systems.
_xftrace_systems() { # PROGRAM
	"$1" -q events 2>/dev/null | sed -nE 's/^ *[0-9]+  ([^:]+):.*/\1/p' |
		sort -u
}

_xftrace() {
	local program=${1/#\~/$HOME} cur=${COMP_WORDS[COMP_CWORD]}
	local prev=${COMP_WORDS[COMP_CWORD - 1]} i words=() verb=() list=

	# --output=x arrives as three words.
	if [[ $cur == = ]]; then
		cur=
	elif [[ $prev == = && $COMP_CWORD -gt 2 ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == -* ]] || words+=("${COMP_WORDS[i]}")
	done
	COMPREPLY=()

	case ${words[0]-} in
	'')
		if [[ $cur == -* ]]; then
			list=$("$program" help 2>/dev/null |
				sed -nE 's/^  .*(--[a-z]+).*/\1/p')
		else
			list="$(_xftrace_verbs "$program") help"
		fi
		mapfile -t COMPREPLY < <(compgen -W "$list" -- "$cur")
		return
		;;
	help)
		case ${words[*]:1} in
		'') list=$(_xftrace_verbs "$program") ;;
		guest | store | baseline)
			list=$(_xftrace_verbs "$program" "${words[1]}")
			;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$list" -- "$cur")
		return
		;;
	guest | store | baseline)
		if [[ ${#words[@]} -eq 1 ]]; then
			list=$(_xftrace_verbs "$program" "${words[0]}")
			[[ $cur != -* ]] || list=--help
			mapfile -t COMPREPLY < <(compgen -W "$list" -- "$cur")
			return
		fi
		verb=("${words[@]:0:2}")
		;;
	*)
		verb=("${words[0]}")
		;;
	esac

	if [[ $prev == -?* ]]; then
		local value
		value=$(_xftrace_value "$prev" "$program" "${verb[@]}")
		case $value in
		'') ;;
		'FILE|NAME')
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -W \
				"$(_xftrace_baselines "$program")" -- "$cur"
				compgen -f -- "$cur")
			return
			;;
		FILE | VMLINUZ | SOCKET)
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
			;;
		NAME)
			# Else it is a new one's.
			[[ $prev == -g || $prev == --guest ]] || return
			mapfile -t COMPREPLY < <(compgen -W \
				"$(_xftrace_guests "$program")" -- "$cur")
			return
			;;
		EVENT)
			mapfile -t COMPREPLY < <(compgen -W \
				"$(_xftrace_systems "$program")" -- "$cur")
			return
			;;
		PATTERN)
			mapfile -t COMPREPLY < <(compgen -W kvm -- "$cur")
			return
			;;
		PID)
			mapfile -t COMPREPLY < <(compgen -W \
				"$(pgrep qemu-system 2>/dev/null)" -- "$cur")
			return
			;;
		*'|'*)
			mapfile -t COMPREPLY < <(compgen -W "${value//|/ }" -- "$cur")
			return
			;;
		*)
			return
			;;
		esac
	fi
	if [[ $cur == -* ]]; then
		list=$(_xftrace_options "$program" "${verb[@]}")
		mapfile -t COMPREPLY < <(compgen -W "$list" -- "$cur")
		return
	fi
	case ${verb[*]} in
	report | show | check | dirty)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -W \
			"$(_xftrace_traces "$program")" -- "$cur"; compgen -f -- "$cur")
		;;
	rm | mv | recover | 'baseline make')
		mapfile -t COMPREPLY < <(compgen -W \
			"$(_xftrace_traces "$program")" -- "$cur")
		;;
	export)
		if [[ ${#words[@]} -eq 1 ]]; then
			mapfile -t COMPREPLY < <(compgen -W \
				"$(_xftrace_traces "$program")" -- "$cur")
			return
		fi
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	'baseline show')
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -W \
			"$(_xftrace_baselines "$program")" -- "$cur"; compgen -f -- "$cur")
		;;
	symbols | import | batch | 'store create')
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	events)
		mapfile -t COMPREPLY < <(compgen -W \
			"$(_xftrace_systems "$program")" -- "$cur")
		;;
	'guest stop')
		mapfile -t COMPREPLY < <(compgen -W \
			"$(_xftrace_guests "$program")" -- "$cur")
		;;
	esac
}

complete -F _xftrace xftrace
