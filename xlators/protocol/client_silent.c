/* xlators/protocol/client_silent.c: a brick that its parent does not want to wait for any longer (xlator_class.give_up).
 *
 * Its connection stands, so what it was sent may still be executed, and the locks under which it was sent are still held there.
 * For the graph the brick is down at once, and every call under way ends with -ENOTCONN. It is up again when the last of them was
 * answered and the locks that were let go meanwhile have been given back, in that order: nobody gets a lock on what may still be
 * written by us. */
#include "runtime/log.h"
#include "xlators/graph.h"
#include "xlators/protocol/client.h"

#define MS 1000000ull

/* Something was lost on the way: the brick's answer will not come any more. */
static void too_long(void *arg)
{
	struct pclient *pc = arg;

	if (pc->silent)
		rpc_client_disconnect(pc->rpc, -ETIMEDOUT);
}

void client_silence_init(struct pclient *pc)
{
	list_init(&pc->lock_waits);
	list_init(&pc->owed);
	timer_init(&pc->silent_too_long, too_long, pc);
}

void client_give_up(struct xlator *xl)
{
	struct pclient *pc = xl->priv;
	uint64_t now = loop_now_ns(xl_loop(xl));
	unsigned late;

	if (pc->state != CLIENT_UP || pc->stopping)
		return;
	pc->silent = pc->settling = true;
	pc->silent_since_ns = now;
	pc->lease_s = xl->lease_s;
	xl->lease_s = XL_LEASE_NOBODY;
	xl->graph->lease_epoch++;
	timer_arm(xl_loop(xl), &pc->silent_too_long, now + pc->frame_timeout_ms * MS);
	client_match_state(pc);
	late = rpc_client_give_up(pc->rpc);
	client_lock_waits_end(pc);
	log_warning("brick is down: it does not answer, going on without it until it does",
		    "volume=%s host=%s brick=%s calls=%u", xl->name, pc->remote_host,
		    log_quote(pc->remote_subvolume), late);
	pc->settling = late == 0;
	client_settle(pc);
}

/* Lets go of the owed locks, and then the brick is one of ours again. */
void client_settle(struct pclient *pc)
{
	if (!pc->silent || !pc->settling)
		return;
	client_give_back_owed(pc);
	if (!pc->silent || pc->giving_back)
		return;
	client_silence_ended(pc);
	pc->xl->lease_s = pc->lease_s;
	pc->xl->graph->lease_epoch++;
	client_match_state(pc);
}

void client_settled(void *user)
{
	struct pclient *pc = user;
	uint64_t now = loop_now_ns(xl_loop(pc->xl));

	if (!pc->silent)
		return;
	log_notice("brick has answered all it was sent", "volume=%s host=%s brick=%s after_ms=%u",
		   pc->xl->name, pc->remote_host, log_quote(pc->remote_subvolume),
		   (unsigned)((now - pc->silent_since_ns) / MS));
	pc->settling = true;
	client_settle(pc);
}

void client_silence_ended(struct pclient *pc)
{
	pc->silent = pc->settling = false;
	timer_cancel(&pc->silent_too_long);
	client_forget_owed(pc);
}
