// SPDX-License-Identifier: GPL-2.0-only
#include "near.h"

#include <limits.h>
#include <string.h>

/*
 * Changes of one letter (left out, put in, replaced, swapped with the next)
 * that turn a into b; more than @max is reported as max + 1.
 */
static unsigned int distance(const char *a, size_t a_len, const char *b,
			     size_t b_len, unsigned int max)
{
	enum { LONGEST = 64 };
	uint8_t rows[3][LONGEST + 1];
	uint8_t *above2 = rows[0], *above = rows[1], *row = rows[2], *swap;

	if (a_len > LONGEST || b_len > LONGEST || a_len > b_len + max ||
	    b_len > a_len + max)
		return max + 1;
	for (size_t j = 0; j <= b_len; j++)
		above[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned int best = row[0] = i;

		for (size_t j = 1; j <= b_len; j++) {
			unsigned int d = above[j - 1] + (a[i - 1] != b[j - 1]);

			if (above[j] + 1u < d)
				d = above[j] + 1;
			if (row[j - 1] + 1u < d)
				d = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && above2[j - 2] + 1u < d)
				d = above2[j - 2] + 1;
			row[j] = d;
			if (d < best)
				best = d;
		}
		if (best > max)
			return max + 1;
		swap = above2;
		above2 = above;
		above = row;
		row = swap;
	}
	return above[b_len] <= max ? above[b_len] : max + 1;
}

#define FAR UINT_MAX

/* How far a name is from what was typed, less is nearer; FAR for most. */
static unsigned int farness(const struct near *n, const char *name)
{
	size_t len = strnlen(name, n->begin ? n->len : SIZE_MAX);
	unsigned int max = n->len < 4 ? 1 : n->len < 8 ? 2 : 3;
	unsigned int d = distance(n->typed, n->len, name, len, max);

	/* A name that contains the word is about as near as two typos. */
	if (d <= max && d <= 2)
		return d * 16;
	if (n->len >= 3 && !n->begin && memmem(name, len, n->typed, n->len))
		return 40 + (len - n->len);
	return d <= max ? d * 16 : FAR;
}

static bool nearer(const struct near_name *a, const struct near_name *b)
{
	if (a->farness != b->farness)
		return a->farness < b->farness;
	return strcmp(a->name, b->name) < 0;
}

void near_offer(struct near *n, const char *name)
{
	struct near_name new = { name, farness(n, name) };
	size_t max = n->max < NEAR_MAX ? n->max : NEAR_MAX, i;

	if (new.farness == FAR || !max)
		return;
	for (i = 0; i < n->nr; i++)
		if (!strncmp(n->list[i].name, name,
			     n->begin ? n->len : SIZE_MAX))
			return;
	if (n->nr < max)
		n->nr++;
	else if (!nearer(&new, &n->list[max - 1]))
		return;
	for (i = n->nr - 1; i && nearer(&new, &n->list[i - 1]); i--)
		n->list[i] = n->list[i - 1];
	n->list[i] = new;
}

size_t near_print(const struct near *n, struct buf *out)
{
	for (size_t i = 0; i < n->nr; i++)
		buf_printf(out, "%s%.*s%s", i ? ", " : "",
			   n->begin ? (int)n->len : INT_MAX, n->list[i].name,
			   n->begin ? "*" : "");
	return n->nr;
}
