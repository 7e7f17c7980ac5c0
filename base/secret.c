// SPDX-License-Identifier: GPL-2.0-only
#include "secret.h"

#include <string.h>
#include <sys/mman.h>

void *secret_grow(void *p, size_t len, size_t new_len)
{
	void *new = mmap(NULL, new_len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (new == MAP_FAILED)
		return NULL;
	(void)mlock(new, new_len);
	(void)madvise(new, new_len, MADV_DONTDUMP);
	if (p)
		memcpy(new, p, len);
	secret_free(p, len);
	return new;
}

void secret_free(void *p, size_t len)
{
	if (!p)
		return;
	explicit_bzero(p, len);
	munmap(p, len);
}
