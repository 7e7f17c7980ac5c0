# SPDX-License-Identifier: GPL-2.0-only
#
# awk -v sites=N -f usual.awk TREE
#
# TREE is tree.awk's output for a program that makes the same N system calls in
# the same order again and again. Prints for each of them the tree that it has
# in most rounds, and last how many trees are others. A line begins with "!"
# where there is no majority, or a round is not whole.

/^0 / {
	n++
	tree[n] = ""
}

{
	tree[n] = tree[n] "\n" $0
}

END {
	if (!n || n % sites)
		print "! " n + 0 " trees, which is no multiple of " sites
	for (i = 1; i <= n; i++) {
		site = i % sites
		if (++count[site, tree[i]] > most[site]) {
			most[site] = count[site, tree[i]]
			usual[site] = tree[i]
		}
	}
	for (i = 1; i <= sites; i++) {
		site = i % sites
		print usual[site]
		if (2 * most[site] <= n / sites)
			print "! no majority in call " i
		all += most[site]
	}
	print "# " n - all " of " n " trees are unusual"
}
