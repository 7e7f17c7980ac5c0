#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# demo.sh -- the main job on a demo guest: start it, on, off, the graph
#
# Run by 'make demo', when all is built in ${O:-build}. A guest called demo
# that runs already is used and left running; one that we start ends with us,
# also on Ctrl-C.

set -u

xft=${O:-build}/xftrace
guest=demo
enough=2000
out=trace_graph.txt
started='' tracing=''

step() { printf '\n%s\n' "$*"; }
die() { echo "demo.sh: $*" >&2; exit 1; }

# Shown, then done. What xftrace says when it fails is enough.
run() {
	echo "  \$ xftrace $*"
	"$xft" "$@" || exit 1
}

running() {
	"$xft" guest list --json | tr -d '\n' | tr '}' '\n' |
		grep "\"name\": \"$guest\"" | grep -q '"running": true'
}

# Of the whole recording, not of one of its rings.
records() {
	"$xft" status --guest "$guest" --json |
		sed -n 's/^ "records": \([0-9][0-9]*\),*$/\1/p'
}

end() {
	trap '' HUP INT TERM
	{
		[ ! "$tracing" ] || "$xft" -q off --guest "$guest" -o /dev/null
		[ ! "$started" ] || "$xft" -q guest stop "$guest"
	} 2>/dev/null
}
trap end EXIT
trap 'echo; exit 130' HUP INT TERM

[ -x "$xft" ] || die "$xft is not built: say 'make demo'"

if running; then
	step "1. The guest '$guest' is running already."
else
	step "1. A Linux guest under an unpatched QEMU:"
	# From here on there may be something to end.
	started=yes
	run guest start --name "$guest"
fi
if "$xft" status --guest "$guest" >/dev/null 2>&1; then
	die "it is being traced already: 'xftrace off --guest $guest' first"
fi

step "2. Trace two system calls of its kernel, with all that they call:"
tracing=yes
run on --guest "$guest" sys_openat sys_read

step "3. Let the guest work a little:"
n=0 tries=0
while [ "$n" -lt $enough ] && [ $tries -lt 100 ]; do
	sleep 0.1
	tries=$((tries + 1))
	n=$(records)
	[ "$n" ] || exit 1
done
echo "  $n records were read from its memory"

step "4. Stop, and draw the calls:"
run off --guest "$guest" -o $out
tracing=''

step "5. The beginning of $out, which has $(wc -l <$out) lines:"
echo
head -n 40 $out

cat <<EOT

That was the main job. Do it by hand, and with other functions:

  $xft guest start
  $xft on 'vfs_*'
  $xft status
  $xft off
  $xft guest stop

$xft guest args tells how to trace a guest of your own.
EOT
