/* xlators/debug/delay_gen.c: makes chosen operations late. The call sleeps before the child sees it and may be interrupted meanwhile. */
#include "xlators/debug/fops.h"

struct delay_gen {
	bool enable;
	int64_t percentage, duration_us;
	char *fops;
	uint64_t set;
};

static const struct option options[] = {
	OPT_BOOL("enable", struct delay_gen, enable, "on", OPT_LIVE, "delay calls at all"),
	OPT_INT("delay-percentage", struct delay_gen, percentage, "10", 0, 100, OPT_LIVE, "percentage of calls that are late"),
	OPT_INT("delay-duration", struct delay_gen, duration_us, "100000", 0, INT32_MAX, OPT_LIVE, "by how many microseconds"),
	OPT_STR("delay-fops", struct delay_gen, fops, NULL, OPT_LIVE, "names of the operations [all]"),
	OPT_END
};

static int coroutine_fn maybe_sleep(struct xlator *xl, enum fop op)
{
	struct delay_gen *dg = xl->priv;
	uint32_t die;

	if (!dg->enable || !(dg->set >> op & 1))
		return 0;
	loop_random(xl_loop(xl), &die, sizeof(die));
	return die % 100 < (uint32_t)dg->percentage ? co_sleep_ns((uint64_t)dg->duration_us * 1000) : 0;
}

#define F(op) \
	static int coroutine_fn delay_gen_##op(struct xlator *xl, struct call *call, const struct op##_args *args, struct op##_res *res) \
	{ \
		int ret = maybe_sleep(xl, FOP_##op); \
		return ret < 0 ? ret : xl_##op(xl->children[0], call, args, res); \
	}
FOPS(F)
#undef F

static int delay_gen_set(struct xlator *xl, struct error *err)
{
	struct delay_gen *dg = xl->priv;

	return debug_fops_parse(dg->fops, &dg->set, err);
}

static int coroutine_fn delay_gen_init(struct xlator *xl, struct error *err)
{
	return delay_gen_set(xl, err);
}

#define F(op) .op = delay_gen_##op,
const struct xlator_class debug_delay_gen_class = {
	.name = "debug/delay-gen",
	.summary = "makes chosen operations late",
	.priv_size = sizeof(struct delay_gen),
	.options = options,
	.min_children = 1, .max_children = 1,
	.init = delay_gen_init,
	.reconfigured = delay_gen_set,
	.fops = { FOPS(F) },
};
#undef F
