/* xlators/storage/posix/health.c: what a brick does by itself, in two coroutines. One waits for helpers: it stores times that are newer than on
 * disk and looks how full the file system is, each second. The other never waits: it has the disk asked on a thread of its own (probe.c). A
 * brick whose disk fails, does not answer in time, or is another one than it was, is down until that has passed. */
#include "xlators/storage/posix/posix.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "runtime/log.h"
#include "xlators/graph.h"

#define TICK_NS     1000000000ull
#define DOWN_NS     2000000000ull	/* a brick that is down is tried so often */
#define NO_FILES_NS 30000000000ull	/* a lack of descriptors is over when there was none for so long */

extern const struct xlator_class storage_posix_class;

/* --- what is amiss, though it serves --- */

static const char *const troubles[TROUBLES] = {
	[TROUBLE_FULL] = "its file system is full (less than storage.reserve is free)",
	[TROUBLE_NO_INODES] = "its file system has no inodes left",
	[TROUBLE_READ_ONLY] = "its file system is mounted read-only",
	[TROUBLE_NO_FILES] = "it has no file descriptors left",
};

static void trouble_set(struct posix *px, enum trouble what, bool on)
{
	if (px->health.troubled[what] == on)
		return;
	px->health.troubled[what] = on;
	if (on)
		log_warning("the brick is in trouble", "directory=%s what=\"%s\"", log_quote(px->directory), troubles[what]);
	else
		log_notice("the brick's trouble is over", "directory=%s what=\"%s\"", log_quote(px->directory), troubles[what]);
}

void health_note_error(struct posix *px, int err)
{
	if (err == -EMFILE || err == -ENFILE)
		px->health.no_files_ns = loop_now_ns(xl_loop(px->xl));
}

struct measuring { struct posix *px; bool full, no_inodes, read_only, known; };

static int measure(void *arg)
{
	struct measuring *m = arg;
	struct statvfs vfs;

	m->full = space_measure(m->px);
	m->known = fstatvfs(m->px->root_fd, &vfs) == 0;
	if (!m->known)
		return 0;
	m->full |= vfs.f_blocks && !vfs.f_bavail;
	m->no_inodes = vfs.f_files && !vfs.f_favail;
	m->read_only = vfs.f_flag & ST_RDONLY;
	return 0;
}

static void coroutine_fn look_for_trouble(struct posix *px)
{
	struct measuring m = { .px = px };
	uint64_t now;

	loop_offload(measure, &m);
	now = loop_now_ns(xl_loop(px->xl));
	if (m.known) {
		trouble_set(px, TROUBLE_FULL, m.full);
		trouble_set(px, TROUBLE_NO_INODES, m.no_inodes);
		trouble_set(px, TROUBLE_READ_ONLY, m.read_only);
	}
	trouble_set(px, TROUBLE_NO_FILES, px->health.no_files_ns && now - px->health.no_files_ns < NO_FILES_NS);
}

/* --- chores --- */

static int flush_times(void *arg)
{
	struct posix *px = arg;
	int ret;

	creds_begin();
	ret = mdata_flush_all(px);
	creds_end();
	return ret;
}

static void coroutine_fn chores(void *arg)
{
	struct posix *px = arg;

	while (!px->stopping) {
		if (px->nodes.ndirty && loop_offload(flush_times, px) < 0)
			log_warning("times of some objects could not be stored", "directory=%s", log_quote(px->directory));
		look_for_trouble(px);
		if (co_sleep_ns(TICK_NS) == -ECANCELED)
			break;
	}
	px->chores = NULL;
	co_gate_leave(&px->running);
}

/* --- does the disk answer? --- */

static void go_down(struct posix *px, bool gone, const char *reason)
{
	struct health *h = &px->health;
	bool news = !h->down || h->gone != gone;

	snprintf(h->reason, sizeof(h->reason), "%s", reason);
	h->gone = gone;
	if (!news)
		return;
	log_error(gone ? "the brick's directory is gone; it serves no more" :
		  "the brick's file system fails; it serves no more until it answers again",
		  "directory=%s reason=%s", log_quote(px->directory), log_quote(reason));
	h->down = true;
	xl_notify(px->xl, XL_DOWN, NULL);
}

static void come_up(struct posix *px)
{
	struct health *h = &px->health;

	h->answered_ns = loop_now_ns(xl_loop(px->xl));
	if (!h->down)
		return;
	log_notice("the brick's file system answers again; it serves", "directory=%s", log_quote(px->directory));
	h->down = h->gone = false;
	h->reason[0] = 0;
	xl_notify(px->xl, XL_UP, NULL);
}

static void take_answer(struct posix *px)
{
	struct health *h = &px->health;
	uint64_t now = loop_now_ns(xl_loop(px->xl));
	struct probe_answer a;
	char text[64];

	if (probe_answered(h->probe, &a)) {
		h->asked_ns = 0;
		if (a.err)
			go_down(px, a.gone, a.what);
		else
			come_up(px);
	} else if (px->health_timeout_ms && now - h->asked_ns >= px->health_timeout_ms * 1000000) {
		snprintf(text, sizeof(text), "the disk has not answered for %u s", (unsigned)((now - h->asked_ns) / 1000000000));
		go_down(px, h->gone, text);
	}
}

static void check(struct posix *px)
{
	struct health *h = &px->health;
	uint64_t now = loop_now_ns(xl_loop(px->xl)), period = px->health_ms * 1000000;

	if (h->asked_ns)
		take_answer(px);
	if (h->asked_ns || !px->health_ms || now < h->due_ns)
		return;
	h->asked_ns = now;
	h->due_ns = now + (h->down && period > DOWN_NS ? DOWN_NS : period);
	probe_ask(h->probe);
}

static void coroutine_fn watch(void *arg)
{
	struct posix *px = arg;

	while (!px->stopping) {
		check(px);
		if (co_sleep_ns(TICK_NS) == -ECANCELED)
			break;
	}
	px->watch = NULL;
	co_gate_leave(&px->running);
}

static struct coroutine *begin(struct posix *px, void (*fn)(void *))
{
	struct coroutine *co;

	if (!co_gate_enter(&px->running))
		return NULL;
	co = co_start(xl_loop(px->xl), fn, px);
	if (!co)
		co_gate_leave(&px->running);
	return co;
}

void health_start(struct posix *px)
{
	px->chores = begin(px, chores);
	if (px->health.probe)
		px->watch = begin(px, watch);
}

void health_stop(struct posix *px)
{
	if (px->chores)
		co_cancel(px->chores);
	if (px->watch)
		co_cancel(px->watch);
}

/* --- for the daemon --- */

static void fill_state(struct posix *px, struct brick_state *s)
{
	const struct health *h = &px->health;
	unsigned i, n = 0;

	*s = (struct brick_state){ .up = !h->down, .gone = h->gone, .reason = h->reason, .identity = px->found_identity };
	s->answered_ms = h->answered_ns ? (loop_now_ns(xl_loop(px->xl)) - h->answered_ns) / 1000000 : UINT64_MAX;
	for (i = 0; i < TROUBLES; i++)
		if (h->troubled[i])
			s->troubles[n++] = troubles[i];
}

bool brick_state(const struct graph *graph, struct brick_state *s)
{
	unsigned i;

	for (i = 0; i < graph->n; i++)
		if (graph->xlators[i]->class == &storage_posix_class) {
			fill_state(graph->xlators[i]->priv, s);
			return true;
		}
	return false;
}
