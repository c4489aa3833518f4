/* runtime/control.c: see control.h. Both ends; whoever may connect is root or the daemon itself, so there are few limits. */
#include "runtime/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "runtime/list.h"
#include "runtime/loop.h"
#include "runtime/stream.h"

#define WORD_MAX  64
#define CONNS_MAX 32

struct control {
	control_answer *answer;
	void *arg;
	struct listener *listener;
	struct list conns;
	unsigned nconns;
};

struct control_conn {
	struct control *control;
	struct list link;
	struct stream *stream;
	char word[WORD_MAX];
	size_t nword;
	char *text;		/* NULL: the word is not whole yet */
	size_t len, sent;
};

static int control_address(const char *path, struct sockaddr_un *addr)
{
	size_t len = strlen(path);

	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	if (len >= sizeof(addr->sun_path))
		return -ENAMETOOLONG;
	memcpy(addr->sun_path, path, len);
	return 0;
}

/* --- the daemon's end --- */

static void conn_close(struct control_conn *cc)
{
	list_remove(&cc->link);
	cc->control->nconns--;
	stream_close(cc->stream);
	free(cc->text);
	free(cc);
}

static void conn_writable(void *arg)
{
	struct control_conn *cc = arg;
	ssize_t n = 1;

	while (cc->sent < cc->len && n > 0) {
		struct iovec iov = { cc->text + cc->sent, cc->len - cc->sent };

		n = stream_writev(cc->stream, &iov, 1);
		if (n > 0)
			cc->sent += (size_t)n;
	}
	if (cc->sent < cc->len && n == -EAGAIN)
		stream_want_write(cc->stream, true);
	else
		conn_close(cc);
}

static bool conn_answer(struct control_conn *cc)
{
	FILE *f = open_memstream(&cc->text, &cc->len);
	bool known;

	if (!f)
		return false;
	known = cc->control->answer(cc->control->arg, cc->word, f);
	return fclose(f) == 0 && known;
}

static void conn_readable(void *arg)
{
	struct control_conn *cc = arg;
	struct iovec iov = { cc->word + cc->nword, sizeof(cc->word) - 1 - cc->nword };
	ssize_t n = stream_readv(cc->stream, &iov, 1);
	char *end;

	if (n == -EAGAIN)
		return;
	if (n > 0)
		cc->nword += (size_t)n;
	cc->word[cc->nword] = 0;
	end = strchr(cc->word, '\n');
	if (n <= 0 || cc->text || (!end && cc->nword == sizeof(cc->word) - 1)) {
		conn_close(cc);
		return;
	}
	if (!end)
		return;
	*end = 0;
	if (conn_answer(cc))
		conn_writable(cc);
	else
		conn_close(cc);
}

static void control_accepted(void *arg, struct stream *s)
{
	static const struct stream_events events = { conn_readable, conn_writable };
	struct control *c = arg;
	struct control_conn *cc = c->nconns < CONNS_MAX ? calloc(1, sizeof(*cc)) : NULL;

	if (!cc) {
		stream_close(s);
		return;
	}
	cc->control = c;
	cc->stream = s;
	list_append(&c->conns, &cc->link);
	c->nconns++;
	stream_start(s, &events, cc);
}

int control_open(struct loop *loop, const char *path, control_answer *answer, void *arg, struct error *err, struct control **ret_control)
{
	struct control *c = calloc(1, sizeof(*c));
	struct sockaddr_un addr;
	int ret;

	if (!c)
		return error_set(err, -ENOMEM, "out of memory");
	c->answer = answer;
	c->arg = arg;
	list_init(&c->conns);
	ret = control_address(path, &addr);
	if (ret == 0)
		ret = listener_open(loop, (struct sockaddr *)&addr, control_accepted, c, &c->listener);
	if (ret < 0) {
		free(c);
		return error_set(err, ret, "the socket %s cannot be opened: %s", path, strerror(-ret));
	}
	*ret_control = c;
	return 0;
}

void control_close(struct control *c)
{
	if (!c)
		return;
	listener_close(c->listener);
	while (!list_empty(&c->conns))
		conn_close(list_first(&c->conns, struct control_conn, link));
	free(c);
}

/* --- who asks --- */

struct asking {
	struct stream *stream;
	struct co_wait wait;
	char *text;
	size_t len, max;
};

static void asking_readable(void *arg)
{
	struct asking *a = arg;
	struct iovec iov;
	ssize_t n;

	do {
		iov = (struct iovec){ a->text + a->len, a->max - a->len + 1 };
		n = stream_readv(a->stream, &iov, 1);
		if (n > 0)
			a->len += (size_t)n;
	} while (n > 0 && a->len <= a->max);
	if (n == -EAGAIN)
		return;
	stream_want_read(a->stream, false);
	co_wake(&a->wait, n > 0 ? -EMSGSIZE : (int)n);
}

int coroutine_fn control_ask(struct loop *loop, const char *path, const char *word, size_t max, char **ret_answer)
{
	static const struct stream_events events = { asking_readable, NULL };
	struct asking a = { .wait = CO_WAIT_INIT, .max = max };
	struct iovec iov[2] = { { (char *)(uintptr_t)word, strlen(word) }, { (char *)(uintptr_t)"\n", 1 } };
	struct sockaddr_un addr;
	int ret = control_address(path, &addr);

	if (ret == 0)
		ret = stream_connect(loop, (struct sockaddr *)&addr, NULL, &a.stream);
	if (ret < 0)
		return ret;
	a.text = malloc(max + 2);
	if (!a.text || stream_writev(a.stream, iov, 2) != (ssize_t)(strlen(word) + 1)) {
		ret = a.text ? -EPIPE : -ENOMEM;
	} else {
		stream_start(a.stream, &events, &a);
		ret = co_park(&a.wait);
	}
	stream_close(a.stream);
	if (ret < 0) {
		free(a.text);
		return ret;
	}
	a.text[a.len] = 0;
	*ret_answer = a.text;
	return 0;
}
