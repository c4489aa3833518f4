/* rpc/addresses.c: the addresses that a daemon was told to listen on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/rpc.h"
#include "runtime/stream.h"

struct listening { rpc_listen_one *one; void *ctx; uint16_t *port; unsigned open; struct error absent; int absent_ret; };

static int coroutine_fn listen_word(struct listening *l, const char *word, struct error *err)
{
	struct sockaddr_storage addr;
	struct error own = { "" };
	int ret = net_resolve(word, *l->port, &addr, 1);

	if (ret < 0)
		return error_set(err, ret, "--listen: \"%s\" is no address of this host", word);
	ret = l->one(l->ctx, (struct sockaddr *)&addr, &own, l->port);
	if (ret == -EAFNOSUPPORT || ret == -EADDRNOTAVAIL) {
		l->absent_ret = error_set(&l->absent, ret, "%s", own.text);
		return 0;
	}
	if (ret < 0)
		return error_set(err, ret, "%s", own.text[0] ? own.text : strerror(-ret));
	l->open++;
	return 0;
}

int coroutine_fn rpc_listen_each(const char *list, rpc_listen_one *one, void *ctx, uint16_t *port, struct error *err)
{
	struct listening l = { .one = one, .ctx = ctx, .port = port };
	char *copy = strdup(list), *next = copy, *word;
	int ret = copy ? 0 : -ENOMEM;

	while (ret == 0 && (word = strsep(&next, ", "))) {
		if (*word)
			ret = listen_word(&l, word, err);
	}
	free(copy);
	if (ret == 0 && !l.open)
		ret = error_set(err, l.absent_ret ? l.absent_ret : -EINVAL, "nothing to listen on: %s",
				l.absent.text[0] ? l.absent.text : "--listen is empty");
	return ret;
}
