/* xlators/debug/error_gen.c: makes chosen operations fail, at a rate or every Nth time, before or after the child has done them.
 *
 * "After" is the failure that tells good bookkeeping from bad: the change was made and the caller hears that it was not. The dice are the
 * loop's, so that a simulation repeats itself. */
#include "xlators/debug/fops.h"

static const char *const errno_words[] = {
	"ENOENT", "EPERM", "EIO", "EAGAIN", "ENOMEM", "EACCES", "EEXIST", "ENOTDIR", "EINVAL", "ENOSPC", "EROFS", "ENOTEMPTY", "ESTALE",
	"EDQUOT", "ENOTCONN", "ETIMEDOUT", NULL
};
static const int errno_values[] = {
	ENOENT, EPERM, EIO, EAGAIN, ENOMEM, EACCES, EEXIST, ENOTDIR, EINVAL, ENOSPC, EROFS, ENOTEMPTY, ESTALE, EDQUOT, ENOTCONN, ETIMEDOUT
};

struct error_gen {
	bool enable, after;
	int error;
	int64_t failure, every;
	char *fops;
	uint64_t set;			/* of fops */
	uint64_t seen;
};

static const struct option options[] = {
	OPT_BOOL("enable", struct error_gen, enable, "on", OPT_LIVE, "fail calls at all"),
	OPT_ENUM("error-no", struct error_gen, error, "EIO", errno_words, OPT_LIVE, "what they fail with"),
	OPT_INT("failure", struct error_gen, failure, "10", 0, 100, OPT_LIVE, "percentage of calls that fail"),
	OPT_INT("every", struct error_gen, every, "0", 0, INT32_MAX, OPT_LIVE, "every Nth call fails instead; 0: by percentage"),
	OPT_BOOL("after", struct error_gen, after, "off", OPT_LIVE, "the child does the work first, and only the answer is bad"),
	OPT_STR("error-fops", struct error_gen, fops, NULL, OPT_LIVE, "names of the operations that may fail [all]"),
	OPT_END
};

static bool must_fail(struct xlator *xl, enum fop op)
{
	struct error_gen *eg = xl->priv;
	uint32_t die;

	if (!eg->enable || !(eg->set >> op & 1))
		return false;
	if (eg->every)
		return ++eg->seen % (uint64_t)eg->every == 0;
	loop_random(xl_loop(xl), &die, sizeof(die));
	return die % 100 < (uint32_t)eg->failure;
}

#define F(op) \
	static int coroutine_fn error_gen_##op(struct xlator *xl, struct call *call, const struct op##_args *args, struct op##_res *res) \
	{ \
		struct error_gen *eg = xl->priv; \
		bool fail = must_fail(xl, FOP_##op); \
		int ret = fail && !eg->after ? 0 : xl_##op(xl->children[0], call, args, res); \
		return fail ? -errno_values[eg->error] : ret; \
	}
FOPS(F)
#undef F

static int error_gen_set(struct xlator *xl, struct error *err)
{
	struct error_gen *eg = xl->priv;

	return debug_fops_parse(eg->fops, &eg->set, err);
}

static int coroutine_fn error_gen_init(struct xlator *xl, struct error *err)
{
	return error_gen_set(xl, err);
}

#define F(op) .op = error_gen_##op,
const struct xlator_class debug_error_gen_class = {
	.name = "debug/error-gen",
	.summary = "makes chosen operations fail",
	.priv_size = sizeof(struct error_gen),
	.options = options,
	.min_children = 1, .max_children = 1,
	.init = error_gen_init,
	.reconfigured = error_gen_set,
	.fops = { FOPS(F) },
};
#undef F
