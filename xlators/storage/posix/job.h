/* xlators/storage/posix/job.h: from a function that blocks to a fop.
 *
 * A fop that runs on a helper thread: fop_OP() offloads OP_job(). With STABLE it waits for the group commit when the call wants so. With
 * RESULTS the job allocates: from an arena of its own, since other children of a fan-out use the call's at the same time. */
#ifndef STORAGE_POSIX_JOB_H
#define STORAGE_POSIX_JOB_H

#include "xlators/storage/posix/posix.h"

#define STABLE 1
#define RESULTS 2
#define POSIX_OFFLOADED(op, traits) \
	struct op##_ticket { struct posix *px; struct call *call; const struct op##_args *args; struct op##_res *res; }; \
	static int op##_blocking(void *arg) \
	{ \
		struct op##_ticket *t = arg; \
		int ret; \
		creds_begin(); \
		ret = op##_job(t->px, t->call, t->args, t->res); \
		creds_end(); \
		return ret; \
	} \
	static int coroutine_fn op##_offload(struct xlator *xl, struct call *call, const struct op##_args *args, struct op##_res *res) \
	{ \
		struct posix *px = xl->priv; \
		struct call own = *call; \
		struct op##_ticket t = { px, &own, args, res }; \
		int ret; \
		own.arena = (traits) & RESULTS ? arena_new(JOB_ARENA) : NULL; \
		ret = loop_offload(op##_blocking, &t); \
		return job_end(px, call, own.arena, ret, (traits) & STABLE); \
	}
#define POSIX_FOP(op, traits) \
	POSIX_OFFLOADED(op, traits) \
	int coroutine_fn fop_##op(struct xlator *xl, struct call *call, const struct op##_args *args, struct op##_res *res) \
	{ \
		return op##_offload(xl, call, args, res); \
	}
#define JOB_ARENA (8u << 20)

#endif
