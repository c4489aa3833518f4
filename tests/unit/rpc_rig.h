/* tests/unit/rpc_rig.h: a server of calls that echo, sleep, count and wait, over the simulated network, and a client that speaks bytes to it. */
#ifndef TESTS_RPC_RIG_H
#define TESTS_RPC_RIG_H

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "rpc/message.h"
#include "rpc/replay.h"
#include "rpc/rpc.h"
#include "rpc/server.h"
#include "rpcgen/nfs3.h"
#include "runtime/log.h"
#include "runtime/loop_private.h"
#include "runtime/sim.h"
#include "runtime/stream.h"


#define PROG 400000u
#define SERVER_IP "10.0.0.1"
#define CLIENT_IP "10.0.0.2"
#define MS 1000000ull

enum { ECHO = 1, SLEEP, VERDICT, COUNT, WHOAMI, LOCK, STUCK, MISSING };
extern struct loop *loop;
extern struct rpc_server *server;
extern struct rpc_replay_cache *cache;
extern struct sockaddr_in server_addr, client_addr;
extern unsigned executed, running, most_running, opened, closed, canceled, late_results, late_ends;
extern struct rpc_conn *last_conn;		/* the one that was opened last, while it is open */
extern unsigned coroutines;			/* of the next loop; 0: as many as always */
extern bool all_known;				/* rpc_conn_known() for each connection */
extern struct rpc_service service;

struct raw { struct stream *s; uint8_t in[1 << 17]; uint32_t n; bool ended; struct co_wait wait; bool waiting; };

void start_server(void);
struct sockaddr_in address(const char *ip, uint16_t port);
void play_with(void (*fn)(void), uint64_t seed);
void play(void (*fn)(void));	/* with some seeds */
struct raw *coroutine_fn raw_open(void);
void raw_close(struct raw *raw);
uint32_t coroutine_fn raw_wait(struct raw *raw, uint32_t bytes, uint64_t ms);
uint32_t build_call(uint8_t *buf, uint32_t xid, uint32_t vers, uint32_t proc, uint32_t access);
void coroutine_fn raw_send(struct raw *raw, const void *data, uint32_t len);
void coroutine_fn expect_words(struct raw *raw, const uint8_t *call, uint32_t len, unsigned n, const uint32_t *words);
uint32_t coroutine_fn count_via(struct raw *raw, uint32_t xid);

#define EXPECT(raw, call, len, ...) do { \
		const uint32_t words_[] = { __VA_ARGS__ }; \
		expect_words(raw, call, len, sizeof(words_) / 4, words_); \
	} while (0)

#endif
