/* runtime/sim.h: what a test may do to the simulated world. Everything follows from the seed of loop_new_sim().
 *
 * A host is an IPv4 address. Streams between hosts carry bytes in order with seeded delays (0.05 to 2 ms unless
 * changed), cut at seeded places. A partition holds bytes back until it ends; a killed host's streams end with
 * -ECONNRESET at their peers (with silence when the kill is a power cut: peers learn by time-out) and its listeners
 * go. A host that lost its power is unreachable until sim_start_host() or until it listens again; the old streams of
 * its peers are reset when they write after that. */
#ifndef RUNTIME_SIM_H
#define RUNTIME_SIM_H

#include <stdbool.h>
#include <stdint.h>
#include <netinet/in.h>

#include "runtime/loop.h"

uint64_t sim_random(struct loop *loop, uint64_t below);	/* 0 .. below-1 */
void sim_set_delay(struct loop *loop, uint64_t min_ns, uint64_t max_ns);
void sim_partition(struct loop *loop, struct in_addr a, struct in_addr b, bool apart);
void sim_kill_host(struct loop *loop, struct in_addr host, bool silent);
void sim_start_host(struct loop *loop, struct in_addr host);	/* after a power cut */
void sim_set_offload_delay(struct loop *loop, uint64_t min_ns, uint64_t max_ns);

#endif
