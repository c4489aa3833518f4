/* The duplicate-request cache by itself: keys, bounds, order of eviction. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "rpc/replay_private.h"

static struct rpc_replay_key key_of(uint32_t xid)
{
	struct rpc_replay_key key;

	memset(&key, 0, sizeof(key));
	key.xid = xid;
	return key;
}

static enum rpc_replay_state put(struct rpc_replay_cache *c, uint32_t xid, uint32_t len)
{
	static const uint8_t bytes[4096];
	struct rpc_replay_key key = key_of(xid);
	struct rpc_replay_entry *e;
	enum rpc_replay_state state = rpc_replay_begin(c, &key, NULL, &e);

	if (state == RPC_REPLAY_NEW)
		rpc_replay_finish(c, e, bytes, len);
	return state;
}

static void test_entries_are_bounded(void **state)
{
	struct rpc_replay_cache *c = rpc_replay_new(100, 0);
	struct rpc_replay_stats stats;
	uint32_t i;

	for (i = 0; i < 1000; i++)
		assert_int_equal(put(c, i, 10), RPC_REPLAY_NEW);
	rpc_replay_stats(c, &stats);
	assert_int_equal(stats.entries, 100);
	assert_int_equal(put(c, 999, 10), RPC_REPLAY_DONE);	/* the newest are there */
	assert_int_equal(put(c, 901, 10), RPC_REPLAY_DONE);
	assert_int_equal(put(c, 899, 10), RPC_REPLAY_NEW);	/* the oldest have left */
	rpc_replay_free(c);
}

static void test_bytes_are_bounded(void **state)
{
	struct rpc_replay_cache *c = rpc_replay_new(0, 64 << 10);
	struct rpc_replay_stats stats;
	uint32_t i;

	for (i = 0; i < 1000; i++) {
		put(c, i, 4000);
		rpc_replay_stats(c, &stats);
		assert_true(stats.bytes <= 64 << 10);
	}
	assert_true(stats.entries >= 14);
	rpc_replay_free(c);
}

static void test_running_ones_stay(void **state)
{
	struct rpc_replay_cache *c = rpc_replay_new(4, 0);
	struct rpc_replay_entry *running, *e;
	struct rpc_replay_key key = key_of(5000);
	int owner;
	uint32_t i;

	assert_int_equal(rpc_replay_begin(c, &key, &owner, &running), RPC_REPLAY_NEW);
	for (i = 0; i < 100; i++)
		put(c, i, 10);
	assert_int_equal(rpc_replay_begin(c, &key, NULL, &e), RPC_REPLAY_RUNNING);
	assert_ptr_equal(rpc_replay_owner(e), &owner);
	rpc_replay_abort(c, running);
	/* a call that failed may be tried again */
	assert_int_equal(rpc_replay_begin(c, &key, NULL, &e), RPC_REPLAY_NEW);
	rpc_replay_abort(c, e);
	rpc_replay_free(c);
}

/* The port does not matter, the family of the same address neither. */
static void test_address(void **state)
{
	struct sockaddr_storage a = { 0 }, b = { 0 }, mapped = { 0 };
	struct rpc_replay_key ka = key_of(1), kb = key_of(1), km = key_of(1);

	*(struct sockaddr_in *)&a = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = 1,
							  .sin_addr.s_addr = htonl(0x7f000001) };
	*(struct sockaddr_in *)&b = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = 2,
							  .sin_addr.s_addr = htonl(0x7f000001) };
	mapped.ss_family = AF_INET6;
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &((struct sockaddr_in6 *)&mapped)->sin6_addr);
	rpc_replay_key_address(&ka, &a);
	rpc_replay_key_address(&kb, &b);
	rpc_replay_key_address(&km, &mapped);
	assert_memory_equal(&ka, &kb, sizeof(ka));
	assert_memory_equal(&ka, &km, sizeof(ka));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries_are_bounded), cmocka_unit_test(test_bytes_are_bounded),
		cmocka_unit_test(test_running_ones_stay), cmocka_unit_test(test_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
