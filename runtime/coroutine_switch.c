/* runtime/coroutine_switch.c: from one stack to another without a system call.
 *
 * A switch is an ordinary function call to the compiler, so only callee-saved registers must survive: they are
 * pushed, the stack pointers are exchanged, and they are popped from the other stack. Sanitizers and valgrind follow
 * stacks, so each switch is announced to them. */
#include "runtime/coroutine_switch.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#ifdef HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#endif
#ifdef CO_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef CO_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#if defined(CO_UCONTEXT)

static void context_make(struct co_context *ctx, void (*entry)(void))
{
	getcontext(&ctx->uc);
	ctx->uc.uc_stack.ss_sp = (void *)ctx->stack;
	ctx->uc.uc_stack.ss_size = ctx->size;
	ctx->uc.uc_link = NULL;
	makecontext(&ctx->uc, entry, 0);
}

static void context_swap(struct co_context *from, struct co_context *to)
{
	swapcontext(&from->uc, &to->uc);
}

#else

void runtime_co_switch(void **ret_sp, void *sp);

#if defined(__x86_64__)
#define ENTRY_WORD 6		/* where ret finds its address */
#define FRAME_WORDS 8
__asm__(".text\n"
	".globl runtime_co_switch\n"
	".hidden runtime_co_switch\n"
	".type runtime_co_switch, @function\n"
	".p2align 4\n"
	"runtime_co_switch:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	".size runtime_co_switch, . - runtime_co_switch\n");
#else	/* aarch64 */
#define ENTRY_WORD 11		/* x30 */
#define FRAME_WORDS 20
__asm__(".text\n"
	".globl runtime_co_switch\n"
	".hidden runtime_co_switch\n"
	".type runtime_co_switch, %function\n"
	".p2align 4\n"
	"runtime_co_switch:\n"
	"	sub sp, sp, #160\n"
	"	stp x19, x20, [sp, #0]\n"
	"	stp x21, x22, [sp, #16]\n"
	"	stp x23, x24, [sp, #32]\n"
	"	stp x25, x26, [sp, #48]\n"
	"	stp x27, x28, [sp, #64]\n"
	"	stp x29, x30, [sp, #80]\n"
	"	stp d8, d9, [sp, #96]\n"
	"	stp d10, d11, [sp, #112]\n"
	"	stp d12, d13, [sp, #128]\n"
	"	stp d14, d15, [sp, #144]\n"
	"	mov x9, sp\n"
	"	str x9, [x0]\n"
	"	mov sp, x1\n"
	"	ldp x19, x20, [sp, #0]\n"
	"	ldp x21, x22, [sp, #16]\n"
	"	ldp x23, x24, [sp, #32]\n"
	"	ldp x25, x26, [sp, #48]\n"
	"	ldp x27, x28, [sp, #64]\n"
	"	ldp x29, x30, [sp, #80]\n"
	"	ldp d8, d9, [sp, #96]\n"
	"	ldp d10, d11, [sp, #112]\n"
	"	ldp d12, d13, [sp, #128]\n"
	"	ldp d14, d15, [sp, #144]\n"
	"	add sp, sp, #160\n"
	"	ret\n"
	".size runtime_co_switch, . - runtime_co_switch\n");
#endif

/* The frame a suspended context would have left, as if it had been called from address 0 (where a backtrace ends). */
static void context_make(struct co_context *ctx, void (*entry)(void))
{
	uintptr_t top = ((uintptr_t)ctx->stack + ctx->size) & ~(uintptr_t)15;
	void **frame = (void **)top - FRAME_WORDS;

	memset(frame, 0, FRAME_WORDS * sizeof(*frame));
	frame[ENTRY_WORD] = (void *)(uintptr_t)entry;
	ctx->sp = frame;
}

static void context_swap(struct co_context *from, struct co_context *to)
{
	runtime_co_switch(&from->sp, to->sp);
}

#endif

void co_context_init(struct co_context *ctx, void (*entry)(void))
{
#ifdef CO_ASAN
	/* The frames of the coroutine that had this stack before never returned: their red zones are still marked. */
	ASAN_UNPOISON_MEMORY_REGION(ctx->stack, ctx->size);
	ctx->asan = NULL;
#endif
#ifdef CO_TSAN
	ctx->tsan = __tsan_create_fiber(0);
#endif
	context_make(ctx, entry);
}

void co_context_fini(struct co_context *ctx)
{
#ifdef CO_TSAN
	__tsan_destroy_fiber(ctx->tsan);
#endif
	(void)ctx;
}

void co_context_switch(struct co_context *from, struct co_context *to, bool last)
{
#ifdef CO_ASAN
	__sanitizer_start_switch_fiber(last ? NULL : &from->asan, to->stack, to->size);
#endif
#ifdef CO_TSAN
	from->tsan = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(to->tsan, 0);
#endif
	context_swap(from, to);
#ifdef CO_ASAN
	__sanitizer_finish_switch_fiber(from->asan, NULL, NULL);
#endif
	(void)last;
}

void co_context_entered(struct co_context *self, struct co_context *from)
{
#ifdef CO_ASAN
	/* The thread's own stack is not ours to know: the sanitizer says where we came from. */
	__sanitizer_finish_switch_fiber(self->asan, &from->stack, &from->size);
#endif
	(void)self;
	(void)from;
}

void co_stack_register(struct co_context *ctx)
{
#ifdef HAVE_VALGRIND_VALGRIND_H
	ctx->valgrind = VALGRIND_STACK_REGISTER(ctx->stack, (const char *)ctx->stack + ctx->size);
#endif
	(void)ctx;
}

void co_stack_unregister(struct co_context *ctx)
{
#ifdef HAVE_VALGRIND_VALGRIND_H
	VALGRIND_STACK_DEREGISTER(ctx->valgrind);
#endif
	(void)ctx;
}
