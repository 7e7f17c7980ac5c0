/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * shared -- words that guest and host both see.
 *
 * Cross-boundary loads and stores go through these, and each call says what it
 * orders. Copy a guest value once, check the copy, use the copy.
 */
#ifndef XF_SHARED_H
#define XF_SHARED_H

/* Later loads are not done before this one. */
#define shared_load(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)

/* Earlier stores are seen before this one. */
#define shared_store(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)

/* Loads before it are done before loads after it. */
#define shared_order_loads() __atomic_thread_fence(__ATOMIC_ACQUIRE)

#endif
