# SPDX-License-Identifier: GPL-2.0-only
#
# awk -f sweep.awk SWEEP >sweep.svg -- what 'store_bench sweep' prints, as a
# picture: GB/s over bytes a block, both in steps that are powers.

BEGIN {
	width = 640; height = 400
	left = 70; right = 30; top = 50; bottom = 60
	name[2] = "read from guest RAM"; colour[2] = "#0072b2"
	name[3] = "copied from guest RAM into the store"; colour[3] = "#d55e00"
	name[4] = "appended to a trace and committed"; colour[4] = "#009e73"
	low = 0.01; high = 100	# GB/s
}

function across(block) {
	return left + (width - left - right) * log(block) / log(2 ^ 24)
}

function up(gbs) {
	return height - bottom - (height - top - bottom) * \
		log(gbs / low) / log(high / low)
}

function bytes(n) {
	return n < 1024 ? n " B" : n < 1048576 ? n / 1024 " KiB" : \
		n / 1048576 " MiB"
}

function text(x, y, anchor, words, more) {
	printf "<text x='%.1f' y='%.1f' text-anchor='%s'%s>%s</text>\n",
		x, y, anchor, more, words
}

function line(x1, y1, x2, y2, colour, width) {
	printf "<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='%s' " \
		"stroke-width='%s'/>\n", x1, y1, x2, y2, colour, width
}

{
	for (i in name)
		points[i] = points[i] sprintf(" %.1f,%.1f", across($1), up($i))
}

END {
	print "<!-- SPDX-License-Identifier: GPL-2.0-only -->"
	printf "<svg xmlns='http://www.w3.org/2000/svg' width='%d' " \
		"height='%d' viewBox='0 0 %d %d' font-family='sans-serif' " \
		"font-size='12'>\n", width, height, width, height
	print "<rect width='100%' height='100%' fill='white'/>"
	for (gbs = low; gbs <= high * 1.01; gbs *= 10) {
		line(left, up(gbs), width - right, up(gbs), "#ddd", 1)
		text(left - 8, up(gbs) + 4, "end", gbs + 0, "")
	}
	for (block = 1; block <= 2 ^ 24; block *= 16) {
		line(across(block), top, across(block), height - bottom, "#ddd", 1)
		text(across(block), height - bottom + 18, "middle", bytes(block), "")
	}
	text((left + width - right) / 2, height - 15, "middle",
		"16 MiB in blocks of this size", "")
	text(0, 0, "middle", "GB/s", sprintf(" transform='translate(20 %d) " \
		"rotate(-90)'", (top + height - bottom) / 2))
	for (i = 2; i <= 4; i++) {
		printf "<polyline points='%s' fill='none' stroke='%s' " \
			"stroke-width='2'/>\n", substr(points[i], 2), colour[i]
		row = height - bottom - 15 - 18 * (4 - i)
		line(330, row - 4, 355, row - 4, colour[i], 2)
		text(362, row, "start", name[i], "")
	}
	text(left, 28, "start", "Blocks from guest RAM into the store", \
		" font-size='15'")
	print "</svg>"
}
