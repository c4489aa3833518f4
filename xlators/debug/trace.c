/* xlators/debug/trace.c: one log line for each call while the option is on, nothing otherwise. For a human in search of a fault. */
#include "runtime/log.h"
#include "xlators/debug/fops.h"

struct trace {
	bool log;
	char *fops;
	uint64_t set;
};

static const struct option options[] = {
	OPT_BOOL("log", struct trace, log, "off", OPT_LIVE, "write a line for each call"),
	OPT_STR("trace-fops", struct trace, fops, NULL, OPT_LIVE, "names of the operations [all]"),
	OPT_END
};

static void say(struct xlator *xl, enum fop op, const struct call *call, const struct inode *inode, int ret, uint64_t began_ns)
{
	char text[GFID_TEXT_SIZE] = "-";

	if (inode)
		gfid_text(inode->gfid, text);
	log_info("call", "xlator=%s fop=%s inode=%s uid=%u ret=%d us=%llu", xl->name, fop_names[op], text, call->uid, ret,
		 (unsigned long long)(loop_now_ns(xl_loop(xl)) - began_ns) / 1000);
}

/* Every argument struct begins with the inode, or the parent, that the call is about. */
#define F(op) \
	static int coroutine_fn trace_##op(struct xlator *xl, struct call *call, const struct op##_args *args, struct op##_res *res) \
	{ \
		struct trace *t = xl->priv; \
		uint64_t began = loop_now_ns(xl_loop(xl)); \
		int ret = xl_##op(xl->children[0], call, args, res); \
		if (t->log && (t->set >> FOP_##op & 1)) \
			say(xl, FOP_##op, call, *(struct inode *const *)args, ret, began); \
		return ret; \
	}
FOPS(F)
#undef F

static int trace_set(struct xlator *xl, struct error *err)
{
	struct trace *t = xl->priv;

	return debug_fops_parse(t->fops, &t->set, err);
}

static int coroutine_fn trace_init(struct xlator *xl, struct error *err)
{
	return trace_set(xl, err);
}

#define F(op) .op = trace_##op,
const struct xlator_class debug_trace_class = {
	.name = "debug/trace",
	.summary = "writes a log line for each call while its option is on",
	.priv_size = sizeof(struct trace),
	.options = options,
	.min_children = 1, .max_children = 1,
	.init = trace_init,
	.reconfigured = trace_set,
	.fops = { FOPS(F) },
};
#undef F
