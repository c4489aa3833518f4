/* xlators/cluster/distribute/cookie.c: where a listing stands, among all subvolumes, in one number of 63 bits. README.md has the reasons.
 *
 *	narrow:  0 0 | rank 16 | offset 46                      offsets below 2^46, exact
 *	wide:    0 1 | rank b  | offset >> s | after 4          b bits hold a rank, s = 63 - (58 - b) low bits are dropped
 *
 * Entries of one child whose offsets differ in the dropped bits only form a run; "after" counts how many of the run follow, and so tells
 * them apart without any memory here. */
#include "xlators/cluster/distribute/listing.h"

#define NARROW_BITS 46
#define WIDE_FLAG (1ull << 62)
#define AFTER_BITS 4
#define WIDE_BITS (62 - AFTER_BITS)	/* rank and bucket */

static unsigned rank_bits(unsigned nchildren)
{
	unsigned bits = 0;

	while (bits < 16 && (1u << bits) < nchildren)
		bits++;
	return bits;
}

static unsigned dropped(unsigned nchildren)
{
	return 63 - (WIDE_BITS - rank_bits(nchildren));
}

bool dht_off_wide(uint64_t off)
{
	return off >> NARROW_BITS != 0;
}

uint64_t dht_off_bucket(unsigned nchildren, uint64_t off)
{
	return (off & ~(1ull << 63)) >> dropped(nchildren);
}

uint64_t dht_cookie_pack(unsigned nchildren, unsigned rank, uint64_t off, unsigned after)
{
	unsigned bucket_bits = WIDE_BITS - rank_bits(nchildren);

	if (!dht_off_wide(off))
		return (uint64_t)rank << NARROW_BITS | off;
	return WIDE_FLAG | ((uint64_t)rank << bucket_bits | dht_off_bucket(nchildren, off)) << AFTER_BITS | after;
}

int dht_cookie_unpack(unsigned nchildren, uint64_t cookie, struct dht_pos *ret)
{
	unsigned bucket_bits = WIDE_BITS - rank_bits(nchildren);
	uint64_t v = (cookie & ~WIDE_FLAG) >> AFTER_BITS;

	if (cookie >> 63)
		return -EINVAL;
	if (!(cookie & WIDE_FLAG)) {
		*ret = (struct dht_pos){ (unsigned)(cookie >> NARROW_BITS), cookie & ((1ull << NARROW_BITS) - 1), false, 0 };
	} else {
		*ret = (struct dht_pos){ (unsigned)(v >> bucket_bits), (v & ((1ull << bucket_bits) - 1)) << dropped(nchildren),
					 true, (unsigned)(cookie & ((1u << AFTER_BITS) - 1)) };
	}
	return ret->rank < nchildren ? 0 : -EINVAL;
}
