/* tests/sim/sim_hosts.c: hosts of the simulated volume: how they start, and how they die.
 *
 * A killed process does nothing more: its disk no longer listens to it and its network is gone at that very moment. Its memory is cleared
 * away in the background, when its coroutines have noticed. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"
#include "xlators/cluster/replicate/replicate.h"

#define VOLUME_ID "11111111-2222-3333-4444-555555555555"
#define PORT 49152

static struct in_addr host_of(unsigned net, unsigned n)
{
	struct in_addr a = { htonl(0x0a000000u | net << 8 | (n + 1)) };

	return a;
}

static struct graph *coroutine_fn build(const char *text, const struct graph_conf *conf)
{
	struct error err = { "" };
	struct volfile *vf = volfile_parse(text, strlen(text), "sim", &err);
	struct graph *graph = NULL;

	if (vf)
		graph_new(vf, conf, &err, &graph);
	volfile_free(vf);
	if (!graph) {
		sim_fail("a graph cannot be built: %s", err.text);
		abort();
	}
	return graph;
}

/* ---- bricks ---- */

void coroutine_fn brick_start(struct sim_brick *b)
{
	struct graph_conf gconf = { .loop = sw.loop };
	struct brick_conf bconf = { .volume_id = VOLUME_ID };
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr = b->host };
	struct error err = { "" };
	char text[512];
	uint16_t port;

	snprintf(text, sizeof(text),
		 "volume disk\n type storage/memory\n option disk brick-%u\n option sync-time 1ms\nend-volume\n"
		 "volume locks\n type features/locks\n subvolumes disk\nend-volume\n"
		 "volume brick-%u\n type features/upcall\n subvolumes locks\nend-volume\n", b->index, b->index);
	sim_start_host(sw.loop, b->host);
	b->graph = build(text, &gconf);
	CHECK(brick_server_new(sw.loop, b->graph, &bconf, &err, &b->server) == 0, "brick %u: %s", b->index, err.text);
	CHECK(brick_server_listen(b->server, (struct sockaddr *)&addr, &err, &port) == 0, "brick %u: %s", b->index, err.text);
	b->up = true;
	sim_trace("brick %u is up", b->index);
}

struct corpse { struct brick_server *server; struct graph *graph; struct sim_gateway *gateway; };

static void coroutine_fn bury(void *arg)
{
	struct corpse *c = arg;

	if (c->server) {
		brick_server_drain(c->server);
		brick_server_free(c->server);
	}
	while (c->gateway && c->gateway->users)
		co_sleep_ns(10 * MSEC);
	graph_free(c->graph);
	free(c->gateway);
	free(c);
	sw.burying--;
}

static void bury_later(struct brick_server *server, struct graph *graph, struct sim_gateway *gateway)
{
	struct corpse *c = calloc(1, sizeof(*c));

	*c = (struct corpse){ server, graph, gateway };
	sw.burying++;
	co_start(sw.loop, bury, c);
}

void coroutine_fn brick_kill(struct sim_brick *b, bool power, bool silent)
{
	sim_trace("brick %u %s%s", b->index, power ? "loses power" : "is killed", silent ? " silently" : "");
	sim_kill_host(sw.loop, b->host, silent);
	if (power)
		memory_disk_crash(b->disk);
	else
		memory_disk_kill(b->disk);
	b->up = false;
	sw.kills++;
	bury_later(b->server, b->graph, NULL);
	b->server = NULL;
	b->graph = NULL;
}

/* ---- gateways ---- */

static void gateway_event(void *owner, enum xl_event ev, const struct xl_upcall *upcall)
{
	struct sim_gateway *gw = owner;

	if (ev == XL_RESTARTED)
		gw->restarts++;
}

static void put_sets(FILE *f)
{
	unsigned i, j;

	for (i = 0; i < sw.sets; i++) {
		fprintf(f, "volume demo-replicate-%u\n type cluster/replicate\n option quorum-type auto\n subvolumes", i);
		for (j = 0; j < sw.copies; j++)
			fprintf(f, " demo-client-%u", i * sw.copies + j);
		fprintf(f, "\nend-volume\n");
	}
	fprintf(f, "volume demo-dht\n type cluster/distribute\n subvolumes");
	for (i = 0; i < sw.sets; i++)
		fprintf(f, " demo-replicate-%u", i);
	fprintf(f, "\nend-volume\nvolume demo-utime\n type features/utime\n subvolumes demo-dht\nend-volume\n");
	fprintf(f, "volume demo\n type performance/md-cache\n subvolumes demo-utime\nend-volume\n");
}

static char *gateway_text(void)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	unsigned i;

	for (i = 0; i < brick_count(); i++)
		fprintf(f, "volume demo-client-%u\n type protocol/client\n option remote-host %s\n option remote-port %u\n"
			" option remote-subvolume brick-%u\n option ping-timeout 3\nend-volume\n",
			i, inet_ntoa(sw.bricks[i].host), PORT, i);
	put_sets(f);
	fclose(f);
	return text;
}

void coroutine_fn gateway_start(unsigned index)
{
	struct sim_gateway *gw = calloc(1, sizeof(*gw));
	char *text = gateway_text(), from[INET_ADDRSTRLEN];
	struct graph_conf conf = { .loop = sw.loop, .from = from, .event = gateway_event, .owner = gw };

	gw->index = index;
	gw->host = host_of(2, index);
	sim_start_host(sw.loop, gw->host);
	inet_ntop(AF_INET, &gw->host, from, sizeof(from));
	gw->graph = build(text, &conf);
	free(text);
	sw.gateways[index] = gw;
	sim_trace("gateway %u is up", index);
}

void coroutine_fn gateway_kill(unsigned index)
{
	struct sim_gateway *gw = sw.gateways[index];

	sim_trace("gateway %u is killed", index);
	sim_kill_host(sw.loop, gw->host, false);	/* its peers hear it, ... */
	sim_kill_host(sw.loop, gw->host, true);		/* ... and what is left of it reaches nobody */
	gw->dead = true;
	sw.gateways[index] = NULL;
	sw.kills++;
	bury_later(NULL, gw->graph, gw);
}

/* A read from the second of two copies may be old, while it does not reach the
 * first and another gateway does (cluster/replicate/README.md, "The second of two"). */
bool gateway_sees_firsts(const struct sim_gateway *gw)
{
	char name[32];
	unsigned i;

	for (i = 0; i < sw.sets && sw.copies == 2 && sw.ngateways > 1; i++) {
		snprintf(name, sizeof(name), "demo-replicate-%u", i);
		if (!(replicate_of(graph_find(gw->graph, name))->up & bit(0)))
			return false;
	}
	return true;
}

/* ---- the world ---- */

void coroutine_fn sim_clear_away(void)
{
	while (sw.burying)
		co_sleep_ns(100 * MSEC);
}

void world_make(void)
{
	char name[24];
	unsigned i;

	for (i = 0; i < brick_count(); i++) {
		snprintf(name, sizeof(name), "brick-%u", i);
		sw.bricks[i] = (struct sim_brick){ .index = i, .host = host_of(1, i) };
		sw.bricks[i].disk = memory_disk_new(name, rnd(1ull << 62), 64 << 20);
	}
}

void world_free(void)
{
	unsigned i;

	for (i = 0; i < brick_count(); i++)
		memory_disk_free(sw.bricks[i].disk);
}
