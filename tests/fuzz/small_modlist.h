/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kvm-memfile/modlist.c with less room. An input is no longer than a few pages:
 * room for more than could come of it takes time, and finds nothing.
 */
#ifndef SMALL_MODLIST_H
#define SMALL_MODLIST_H

#include "modlist.h"

#undef MODLIST_MAX_MODULES
#define MODLIST_MAX_MODULES 64
#undef MODLIST_MAX_SYMBOLS
#define MODLIST_MAX_SYMBOLS 1024
#undef MODLIST_MAX_BYTES
#define MODLIST_MAX_BYTES (64u << 10)

#include "../../kvm-memfile/modlist.c"

#endif
