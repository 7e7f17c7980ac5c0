// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "secret.h"

/* "VmFlags:" of the mapping that begins at @p. */
static void flags_of(const void *p, char *flags, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/smaps", "r");
	char line[512], begin[32];
	bool found = false;

	assert_non_null(f);
	snprintf(begin, sizeof(begin), "%lx-", (unsigned long)p);
	flags[0] = '\0';
	while (fgets(line, sizeof(line), f)) {
		found = found || !strncmp(line, begin, strlen(begin));
		if (!found || strncmp(line, "VmFlags:", 8))
			continue;
		snprintf(flags, size, "%s", line);
		return;
	}
}

static void test_memory(void **state)
{
	char flags[512];
	char *p = secret_grow(NULL, 0, 8192);

	assert_non_null(p);
	flags_of(p, flags, sizeof(flags));
	/* Not in a core; locked, but by ASan, which leaves mlock() out. */
	assert_non_null(strstr(flags, " dd"));
#ifndef __SANITIZE_ADDRESS__
	assert_non_null(strstr(flags, " lo"));
#endif
	secret_free(p, 8192);
	secret_free(NULL, 8192);
}

static void test_grow(void **state)
{
	char *p = secret_grow(NULL, 0, 4096);

	memset(p, 'k', 4096);
	p = secret_grow(p, 4096, 16384);
	assert_non_null(p);
	for (int i = 0; i < 4096; i++)
		assert_int_equal(p[i], 'k');
	assert_int_equal(p[4096], 0);
	/* What cannot be had leaves what there is. */
	assert_null(secret_grow(p, 16384, SIZE_MAX / 2));
	assert_int_equal(p[4095], 'k');
	secret_free(p, 16384);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
