/* runtime/sim_private.h: the simulated world, shared by loop_sim.c (time and chance) and stream_sim.c (network). */
#ifndef RUNTIME_SIM_PRIVATE_H
#define RUNTIME_SIM_PRIVATE_H

#include "runtime/loop_private.h"
#include "runtime/sim.h"

struct sim {
	struct loop *loop;
	uint64_t random;		/* state of the one generator everything follows from */
	uint64_t delay_min_ns, delay_max_ns;
	uint64_t offload_min_ns, offload_max_ns;
	struct list streams, listeners, connects;
	struct list partitions, dark_hosts;
	uint16_t next_port;
};

struct sim *sim_of(struct loop *loop);
uint64_t sim_network_delay(struct sim *sim);

void sim_network_init(struct sim *sim);
void sim_network_fini(struct sim *sim);
int coroutine_fn sim_connect(struct loop *loop, const struct sockaddr *to, const struct sockaddr *from,
			     struct stream **ret_stream);
int sim_listen(struct loop *loop, const struct sockaddr *addr, struct listener **ret_listener);

#endif
