/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crc32c -- CRC-32C (Castagnoli) of bytes, as fast as the processor can.
 *
 * Chosen for the store because it finds every error burst of up to 32 bits,
 * every tool knows it, and processors have an instruction for it.
 *
 *	crc = crc32c(0, data, len);
 *	crc = crc32c(crc, more, len2);		of both, one after the other
 */
#ifndef XF_CRC32C_H
#define XF_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
