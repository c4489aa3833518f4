/* mgmt/join.c: which host this is and which store it uses; how a host joins the store of others, and leaves it.
 *
 * host.xml holds it. To change the store is to write host.xml anew and to begin anew: the manager executes itself again, and takes its
 * bricks over as after any restart. A host that has volumes of its own never joins by a probe, and never twice. */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mgmt/document.h"
#include "mgmt/invite.h"
#include "mgmt/json.h"
#include "mgmt/manager.h"
#include "mgmt/text.h"
#include "rpc/rpc.h"
#include "rpc/tls.h"
#include "rpcgen/gate_mgmt.h"
#include "runtime/file.h"
#include "runtime/log.h"
#include "runtime/stream.h"

#define SETTINGS_MAX (64u << 10)
#define PROBE_NS     1300000000ull
#define URL_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:/-_,[]%"

/* --- host.xml --- */

static int save_settings(struct manager *m, const char *store_url, struct error *err)
{
	char *path = format("%s/host.xml", m->conf.state_dir), *text;
	size_t len;
	int ret;

	free(m->self->store);
	m->self->store = store_url ? need(strdup(store_url)) : NULL;
	text = host_text(m->self, &len);
	ret = file_store(path, text, len, 0600, false);
	if (ret < 0)
		error_set(err, ret, "%s cannot be written: %s", path, strerror(-ret));
	free(text);
	free(path);
	return ret;
}

static char *own_name(void)
{
	char name[HOST_NAME_MAX + 1] = "localhost";

	gethostname(name, sizeof(name) - 1);
	return need(strdup(name));
}

/* Every address of an interface that others may reach. */
static void add_own_addresses(struct host *h)
{
	char text[NI_MAXHOST];
	struct ifaddrs *list, *i;

	if (getifaddrs(&list) < 0)
		return;
	for (i = list; i; i = i->ifa_next) {
		socklen_t len = !i->ifa_addr                         ? 0
				: i->ifa_addr->sa_family == AF_INET  ? sizeof(struct sockaddr_in)
				: i->ifa_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
								     : 0;

		if (!len || (i->ifa_flags & IFF_LOOPBACK) || getnameinfo(i->ifa_addr, len, text, sizeof(text), NULL, 0, NI_NUMERICHOST) ||
		    strchr(text, '%'))
			continue;
		host_add_address(h, text);
	}
	freeifaddrs(list);
}

/* *ret_text: the file as it is, NULL when there is none. */
static int read_settings(struct manager *m, const char *path, char **ret_text, struct error *err)
{
	size_t len;
	int ret = file_read(path, SETTINGS_MAX, ret_text, &len);

	if (ret == -ENOENT)
		return 0;
	if (ret < 0)
		return error_set(err, ret, "%s cannot be read: %s", path, strerror(-ret));
	m->self = host_parse(*ret_text, len, path, err);
	return m->self ? 0 : -EINVAL;
}

/* Of which host.xml is written anew only when there is something new: a full disk is no reason not to start. */
static int save_if_new(struct manager *m, const char *store_url, const char *old, struct error *err)
{
	char *text;
	size_t len;
	bool same;

	free(m->self->store);
	m->self->store = store_url ? need(strdup(store_url)) : NULL;
	text = host_text(m->self, &len);
	same = old && strcmp(old, text) == 0;
	free(text);
	return same ? 0 : save_settings(m, store_url, err);
}

/* The command line's --store and --host win, and stay for the next start. */
int host_settings_load(struct manager *m, struct error *err)
{
	char *path = format("%s/host.xml", m->conf.state_dir), *name = m->conf.host ? need(strdup(m->conf.host)) : own_name(), *old = NULL;
	uint8_t uuid[16];
	int ret = read_settings(m, path, &old, err);

	free(path);
	if (ret == 0 && (m->conf.host || !m->self)) {
		ret = host_name_check(name, err);
		if (ret < 0)
			error_prefix(err, m->conf.host ? "--host" : "the system's name cannot be this host's: give one with --host");
	}
	if (ret == 0) {
		if (!m->self) {
			gfid_new(m->loop, uuid);
			gfid_text(uuid, m->uuid);
			m->self = host_new(m->uuid, name);
		}
		if (m->conf.host) {
			free(m->self->name);
			m->self->name = need(strdup(name));
		}
		snprintf(m->uuid, sizeof(m->uuid), "%s", m->self->uuid);
		m->name = need(strdup(m->self->name));
		add_own_addresses(m->self);
		m->store_given = m->conf.store != NULL;
		if (!m->store_given)
			m->conf.store = m->self->store ? need(strdup(m->self->store)) : format("dir:%s/store", m->conf.state_dir);
		ret = save_if_new(m, strncmp(m->conf.store, "dir:", 4) == 0 ? NULL : m->conf.store, old, err);
	}
	free(old);
	free(name);
	return ret;
}

/* --- our document in the store --- */

int coroutine_fn host_register(struct manager *m, struct error *err)
{
	char *key = format("hosts/%s", m->uuid), *text, *store = m->self->store;
	const struct store_doc *doc = store_get(m->store, key);
	size_t len;
	int ret = 0;

	m->self->store = NULL; /* which store it is need not stand in it */
	text = host_text(m->self, &len);
	m->self->store = store;
	if (!doc || strcmp(doc->text, text) != 0)
		ret = store_put(m->store, key, text, len, doc ? doc->revision : 0, err);
	m->registered = m->registered || ret == 0;
	free(text);
	free(key);
	return ret;
}

/* --- another store --- */

static void coroutine_fn begin_anew(void *arg)
{
	struct manager *m = arg;

	co_sleep_ns(300000000ull); /* the answer leaves first */
	m->again = true;
	manager_stop(m);
}

void join_leave_cluster(struct manager *m)
{
	struct error err = { "" };

	if (m->stopping || !store_is_shared(m->store))
		return;
	log_notice("this host was detached from its cluster: it keeps volumes of its own from here on", "store_was=%s",
		   store_url(m->store));
	m->registered = false;
	if (save_settings(m, NULL, &err) < 0)
		log_error("the settings cannot be written", "reason=%s", log_quote(err.text));
	else
		co_start(m->loop, begin_anew, m);
}

/* @known_as goes into host.xml: what that cannot hold would keep us from ever starting again. */
static int may_join(struct manager *m, const char *url, const char *known_as, enum join_proof proof, struct error *err)
{
	if (m->conf.no_probe)
		return error_set(err, -EPERM, "host %s was started with --no-probe: start it with --store instead", m->name);
	if (proof < JOIN_WORD && !m->conf.trust_network)
		return error_set(err, -EPERM, "host %s joins by invitation only: run \"gatehouse peer invite\" there and give the word that it "
				 "shows behind the host's name", m->name);
	if (proof == JOIN_NO_PROOF)
		return error_set(err, -EPERM, "host %s takes a probe from a privileged port only", m->name);
	if (!url || (strncmp(url, "etcd://", 7) != 0 && strncmp(url, "etcds://", 8) != 0) || strlen(url) > 2048)
		return error_set(err, -EINVAL, "host %s can join a store in etcd only", m->name);
	if (url[strspn(url, URL_CHARACTERS)] || (known_as && host_name_check(known_as, NULL) < 0))
		return error_set(err, -EINVAL, "host %s was probed with a name or a store's address that is none", m->name);
	if (known_as && known_host(m, known_as) && !is_this_host(m, known_as))
		return error_set(err, -EEXIST, "host %s knows another host by the name %s", m->name, known_as);
	if (store_is_shared(m->store) && strcmp(store_url(m->store), url) != 0)
		return error_set(err, -EBUSY, "host %s is part of another cluster already (%s): detach it there first", m->name,
				 store_url(m->store));
	if (!store_is_shared(m->store) && m->nvolumes)
		return error_set(err, -EBUSY, "host %s has volumes of its own, such as %s: they would be lost from sight", m->name,
				 m->volumes[0].name);
	if (!store_is_shared(m->store) && m->store_given)
		return error_set(err, -EBUSY, "host %s was started with --store %s, which says where its volumes are: start it without, or "
				 "with the store of this cluster", m->name, m->conf.store);
	return 0;
}

json_t *coroutine_fn join_answer(struct manager *m, json_t *rq, enum join_proof proof)
{
	const char *url = json_member(rq, "store"), *by = json_member(rq, "by"), *known_as = json_member(rq, "name");
	struct error err = { "" };
	int ret = may_join(m, url, known_as, proof, &err);

	if (ret < 0) {
		log_warning("a probe was refused", "by=%s reason=%s", log_quote(by ? by : "?"), log_quote(err.text));
		return json_failure(-ret, &err);
	}
	if (!store_is_shared(m->store)) {
		if (known_as && !is_this_host(m, known_as))
			host_add_address(m->self, known_as);
		ret = save_settings(m, url, &err);
		if (ret < 0)
			return json_failure(-ret, &err);
		log_notice("this host joins a cluster", "store=%s by=%s", log_quote(url), log_quote(by ? by : "?"));
		co_start(m->loop, begin_anew, m);
	}
	return json_success(need(json_pack("{s:s, s:o}", "uuid", m->uuid, "host", json_text(m->name))));
}

/* --- asking another manager --- */

struct asking {
	struct manager *m;
	const char *host, *word;	/* word NULL: at the port of everybody */
	uint32_t proc;
	struct tls_context *tls;
	struct co_wait wait;
};

static int asking_port(const struct asking *a)
{
	return (int)a->m->conf.port + (a->word ? INVITE_PORT_OFFSET : 0);
}

static void asking_up(void *user)
{
	co_wake(&((struct asking *)user)->wait, 0);
}

static void asking_down(void *user, int why)
{
	co_wake(&((struct asking *)user)->wait, why);
}

static int coroutine_fn ask(const struct asking *a, struct rpc_client *c, json_t *request, json_t **ret_answer, struct error *err)
{
	char *text = need(json_dumps(request, JSON_COMPACT));
	struct arena *arena = arena_new(2u << 20);
	struct iobuf *buf = need(iobuf_new((uint32_t)strlen(text)));
	struct gate_text req = { { buf, 0, (uint32_t)strlen(text) } }, rsp = { { NULL, 0, 0 } };
	struct rpc_call call = {
		.prog = GATE_MGMT_PROGRAM,
		.vers = GATE_MGMT_VERSION,
		.proc = a->proc,
		.args = &req,
		.res = &rsp,
		.arena = arena,
		.encode = (xdrproc_t)(void (*)(void))xdr_gate_text,
		.decode = (xdrproc_t)(void (*)(void))xdr_gate_text,
	};
	int ret;

	memcpy(buf->data, text, strlen(text));
	ret = rpc_client_call(c, &call);
	if (ret == 0 && rsp.json.len)
		*ret_answer = json_parse((const char *)rsp.json.buf->data + rsp.json.offset, rsp.json.len);
	if (!json_is_object(*ret_answer))
		ret = error_set(err, ret < 0 ? ret : -EPROTO, "what answers at %s:%d is no manager of ours", a->host, asking_port(a));
	iobuf_unref(buf);
	arena_free(arena);
	free(text);
	return ret;
}

static int no_answer(const struct asking *a, int ret, struct error *err)
{
	if (!a->word)
		return error_set(err, ret, "host %s does not answer at port %d (%s): is gatehouse-manager running there?", a->host,
				 asking_port(a), strerror(-ret));
	return error_set(err, ret, "host %s does not take this word at port %d (%s): run \"gatehouse peer invite\" there and give the word "
			 "that it shows; a word is good once, for %d minutes", a->host, asking_port(a), strerror(-ret), INVITE_MINUTES);
}

/* Takes @request over. */
static int coroutine_fn ask_manager(struct asking *a, json_t *request, json_t **ret_answer, struct error *err)
{
	struct manager *m = a->m;
	struct rpc_client_conf conf = {
		.name = "probe",
		.host = a->host,
		.port = (uint16_t)asking_port(a),
		.privileged = !a->word,
		.up = asking_up,
		.down = asking_down,
		.user = a,
	};
	uint64_t old = co_set_deadline(loop_now_ns(m->loop) + PROBE_NS);
	struct rpc_client *c = NULL;
	int ret = 0;

	if (a->word) {
		a->tls = tls_context_word(a->word, TLS_CLIENT, err);
		ret = a->tls ? 0 : -EIO;
	}
	conf.tls = a->word ? a->tls : m->tls_client;
	if (ret == 0) {
		c = rpc_client_new(m->loop, &conf);
		ret = c ? co_park(&a->wait) : -ENOMEM;
		ret = ret < 0 ? no_answer(a, ret, err) : ask(a, c, request, ret_answer, err);
	}
	if (c) {
		co_shield();
		rpc_client_free(c);
		co_unshield();
	}
	tls_context_unref(a->tls);
	co_restore_deadline(old);
	json_decref(request);
	return ret;
}

/* --- the probe --- */

/* Until the host that answered stands in the store. */
static void coroutine_fn await_peer(struct manager *m, const char *uuid)
{
	int ret = 0;

	while (ret == 0 && uuid && !known_host(m, uuid))
		ret = co_queue_wait(&m->moved);
}

int coroutine_fn join_probe(struct manager *m, const char *host, const char *word, json_t **ret_answer, struct error *err)
{
	struct asking a = { .m = m, .host = host, .word = word, .proc = GATE_MGMT_PROBE, .wait = CO_WAIT_INIT };
	json_t *request, *answer = NULL;
	int ret;

	if (!word && !m->tls_client && !m->conf.trust_network)
		return error_set(err, -EPERM, "nothing would prove that %s is the host that you mean: run \"gatehouse peer invite\" there, and "
				 "here \"gatehouse peer probe %s WORD\" with the word that it shows", host, host);
	request = need(json_pack("{s:s, s:o, s:o}", "store", store_url(m->store), "by", json_text(m->name), "name", json_text(host)));
	ret = ask_manager(&a, request, &answer, err);
	if (ret < 0)
		return ret;
	if (json_number(answer, "status") == 0) {
		await_peer(m, json_member(json_object_get(answer, "result"), "uuid"));
		json_object_set_new(answer, "message", json_text("peer probe: success"));
	}
	*ret_answer = answer;
	return 0;
}

/* --- the other way round: this host has a word of one that is part of a cluster --- */

int coroutine_fn join_by_word(struct manager *m, const char *host, const char *word, json_t **ret_answer, struct error *err)
{
	struct asking a = { .m = m, .host = host, .word = word, .proc = GATE_MGMT_JOIN, .wait = CO_WAIT_INIT };
	json_t *told = NULL, *rq;
	int ret = may_join(m, "etcd://", NULL, JOIN_WORD, err);

	if (ret == 0 && store_is_shared(m->store))
		ret = error_set(err, -EBUSY, "this host is part of a cluster already (%s)", store_url(m->store));
	if (ret == 0)
		ret = ask_manager(&a, need(json_pack("{s:o}", "by", json_text(m->name))), &told, err);
	if (ret < 0)
		return ret;
	if (json_number(told, "status")) {
		*ret_answer = told;
		return 0;
	}
	rq = need(json_pack("{s:o, s:o}", "store", json_text(json_member(json_object_get(told, "result"), "store")), "by", json_text(host)));
	*ret_answer = join_answer(m, rq, JOIN_WORD);
	if (json_number(*ret_answer, "status") == 0)
		json_object_set_new(*ret_answer, "message", json_text("peer join: success"));
	json_decref(rq);
	json_decref(told);
	return 0;
}
