/* xlators/storage/posix/digest.h: the checksums that replicas compare blocks by. Whole messages only. */
#ifndef STORAGE_POSIX_DIGEST_H
#define STORAGE_POSIX_DIGEST_H

#include <stddef.h>
#include <stdint.h>

uint32_t digest_weak(const uint8_t *data, size_t len);			/* Adler-32 (RFC 1950) */
void digest_sha256(const uint8_t *data, size_t len, uint8_t out[32]);	/* FIPS 180-4 */
void digest_md5(const uint8_t *data, size_t len, uint8_t out[16]);	/* RFC 1321 */

#endif
