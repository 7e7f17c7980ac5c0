/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * livepatch -- modules that are live patches of the kernel.
 *
 * Such a module's functions are called in the place of the kernel's own, as
 * those of a rootkit would be. The kernel's list of live patches is the guest's
 * word.
 */
#ifndef XF_LIVEPATCH_H
#define XF_LIVEPATCH_H

#include <stdbool.h>

#include "image.h"

/* Cheap, and wants no types. */
bool livepatch_exists(const struct image_guest *g);

/* Calls @fn with each one's name, escaped. What cannot be read is left out. */
void livepatch_each(const struct image_guest *g,
		    void (*fn)(const char *module, void *arg), void *arg);

#endif
