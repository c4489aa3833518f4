/* runtime/coroutine_switch.h: the machine's part of a coroutine: a stack and the place where it stopped. Private to
 * runtime/. */
#ifndef RUNTIME_COROUTINE_SWITCH_H
#define RUNTIME_COROUTINE_SWITCH_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define CO_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CO_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define CO_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CO_TSAN 1
#endif
#endif

#if !defined(__x86_64__) && !defined(__aarch64__) && !defined(CO_UCONTEXT)
#define CO_UCONTEXT 1
#endif
#ifdef CO_UCONTEXT
#include <ucontext.h>
#endif

struct co_context {
#ifdef CO_UCONTEXT
	ucontext_t uc;
#else
	void *sp;		/* callee-saved registers lie there */
#endif
	const void *stack;	/* lowest usable address and size; the sanitizers want them */
	size_t size;
	void *asan, *tsan;
	unsigned valgrind;
};

/* Makes @ctx a context that will call @entry, which never returns, on its stack. */
void co_context_init(struct co_context *ctx, void (*entry)(void));
void co_context_fini(struct co_context *ctx);
/* Stops here, goes on there. @last: @from never runs again. */
void co_context_switch(struct co_context *from, struct co_context *to, bool last);
/* First thing in a new context's entry. @from: who switched to it. */
void co_context_entered(struct co_context *self, struct co_context *from);
/* A stack comes from or goes back to the system: tells valgrind. */
void co_stack_register(struct co_context *ctx);
void co_stack_unregister(struct co_context *ctx);

#endif
