# SPDX-License-Identifier: GPL-2.0-only
#
# awk -v comm=NAME [-v below=RE] [-v whole=RE] [-v trees=1] -f tree.awk GRAPH
#
# Reads what the kernel's function_graph tracer prints (with funcgraph-proc) or
# a trace_graph.txt, and prints a line for each call that the last task named
# NAME made, "DEPTH FUNCTION", in the order in which they were made. A line
# begins with "!" where the text is no tree: a call at another depth than one
# below its caller, a return at another depth than the innermost open call's,
# a call that does not end.
#
# Interrupts are left out: they come when they like. On x86 that is, in the
# middle of anything, a call of irq_enter_rcu, one of the handler and one of
# irq_exit_rcu, which runs softirqs; the arrows that are drawn around some of
# them; and the handlers of the few interrupts that do without the first and
# the last. In the stock tracer's text they may stand one level deeper than
# what they interrupt: it is interruptible itself, between counting a call and
# recording it.
#
# Calls that functions named like "below" make, and all that these call, are
# left out; those of functions named like "whole" are left out themselves, too.
#
# With "trees" equal trees are counted instead: a line has the number, and the
# tree with ";" between calls.

BEGIN {
	irq = "^(irq_enter_rcu|_*irq_exit_rcu|_*sysvec_[a-z0-9_]+|" \
	      "__common_interrupt|scheduler_ipi)$"
	below = "^(" below ")$"
	whole = "^(" whole ")$"
}

function say(line) {
	if (!trees) {
		out[nr_out++] = line
		return
	}
	if (line ~ /^0 /)
		plant()
	tree = tree (tree == "" ? "" : ";") line
}

function plant() {
	if (tree != "")
		count[tree]++
	tree = ""
}

function bad(why) { say("! line " NR ": " why) }

# "0) work-102", perhaps with more before it; 0 if it is somebody else
function pid_of(task) {
	if (task !~ "[) ]" comm "-[0-9]+ *$" || task ~ /=>/)
		return 0
	match(task, /[0-9]+ *$/)
	return substr(task, RSTART) + 0
}

# What a line says behind the duration; most lines say what another has said.
function parse(text,	name) {
	name = substr(text, 3)
	sub(/ *\/\*.*/, "", name)
	match(name, /^ */)
	depths[text] = RLENGTH / 2
	name = substr(name, RLENGTH + 1)
	closes[text] = name ~ /^[}]/
	opens[text] = name ~ /[{]$/
	sub(/ \[[^]]*\]/, "", name)
	sub(/[(].*/, "", name)
	names[text] = name
	left_out[text] = !closes[text] && (name ~ irq || name ~ whole)
	hides[text] = opens[text] && name ~ below
}

{
	# "0) work-102 | 1 us |  f();" or "1.234567 | 0) work-102 | 1 us |  f();"
	text = $0
	do {
		bar = index(text, "|")
		task = substr(text, 1, bar - 1)
		text = substr(text, bar + 1)
	} while (bar && !index(task, ")"))
	if (!(task in pids))
		pids[task] = pid_of(task)
	if (!pids[task] || index(text, "=========="))
		next
	if (pids[task] != last) {
		last = pids[task]
		nr_out = open = 0
		tree = ""
		split("", count)
		skip = skip_below = -1
	}

	text = substr(text, index(text, "|") + 1)
	if (!(text in depths))
		parse(text)
	depth = depths[text]

	if (skip >= 0) {
		if (closes[text] && depth == skip)
			skip = -1
		next
	}
	if (left_out[text]) {
		if (opens[text])
			skip = depth
		next
	}
	if (closes[text]) {
		if (depth == open - 1)
			open--
		else
			bad("returns at depth " depth ", " open " are open")
		if (skip_below >= open)
			skip_below = -1
		next
	}
	if (depth != open)
		bad("is called at depth " depth ", " open " are open")
	open = depth + opens[text]
	if (skip_below >= 0)
		next
	say(depth " " names[text])
	if (hides[text])
		skip_below = depth
}

END {
	if (open)
		bad(open " calls do not end")
	for (i = 0; i < nr_out; i++)
		print out[i]
	plant()
	for (i in count)
		print count[i], i
}
