/* mgmt/knowledge.c: the documents of the store as structs, parsed when they change.
 *
 * A damaged document changes nothing that is known: the volume goes on as it was last right, and what is wrong with it is told by every
 * command that concerns it. */
#include "mgmt/manager.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mgmt/document.h"
#include "mgmt/json.h"
#include "mgmt/text.h"
#include "runtime/log.h"

#define OWN_ADDRESSES_NS 1000000000ull

static unsigned volume_place(const struct manager *m, const char *name)
{
	unsigned i;

	for (i = 0; i < m->nvolumes && strcmp(m->volumes[i].name, name) < 0; i++)
		;
	return i;
}

const struct known_volume *known_volume(const struct manager *m, const char *name)
{
	unsigned i = volume_place(m, name);

	return i < m->nvolumes && strcmp(m->volumes[i].name, name) == 0 ? &m->volumes[i] : NULL;
}

static void forget_volfiles(struct known_volume *k)
{
	unsigned i;

	for (i = 0; i < VOLFILE_KINDS; i++) {
		free(k->volfiles[i]);
		k->volfiles[i] = NULL;
	}
}

/* Kept until the volume changes: of a large volume it takes long to make, and strangers may ask for it again and again. */
const char *known_volfile(struct manager *m, const char *name, enum volfile_kind kind)
{
	struct known_volume *k = (struct known_volume *)known_volume(m, name);

	if (!k || !k->v)
		return NULL;
	/* Where TLS files are is this host's own matter: others have theirs at the usual places. */
	if (!k->volfiles[kind])
		k->volfiles[kind] = volfile_for_clients(k->v, kind, kind == VOLFILE_CLIENT ? NULL : manager_tls(m));
	return k->volfiles[kind];
}

static void volume_gone(struct manager *m, const char *name)
{
	unsigned i = volume_place(m, name);

	if (!known_volume(m, name))
		return;
	forget_volfiles(&m->volumes[i]);
	volume_free(m->volumes[i].v);
	free(m->volumes[i].name);
	free(m->volumes[i].problem);
	m->nvolumes--;
	memmove(&m->volumes[i], &m->volumes[i + 1], (m->nvolumes - i) * sizeof(m->volumes[0]));
}

static struct known_volume *volume_entry(struct manager *m, const char *name)
{
	unsigned i = volume_place(m, name);

	if (!known_volume(m, name)) {
		m->volumes = need(realloc(m->volumes, (m->nvolumes + 1) * sizeof(m->volumes[0])));
		memmove(&m->volumes[i + 1], &m->volumes[i], (m->nvolumes - i) * sizeof(m->volumes[0]));
		m->volumes[i] = (struct known_volume){ .name = need(strdup(name)) };
		m->nvolumes++;
	}
	return &m->volumes[i];
}

static void volume_changed(struct manager *m, const char *name, const struct store_doc *doc)
{
	struct known_volume *k = volume_entry(m, name);
	struct error err = { "" };
	struct volume *v = volume_parse(doc->text, doc->len, doc->key, &err);

	free(k->problem);
	k->problem = NULL;
	if (v && strcmp(v->name, name) != 0) {
		error_set(&err, -EINVAL, "%s: the document is about a volume named \"%s\"", doc->key, v->name);
		volume_free(v);
		v = NULL;
	}
	if (!v) {
		k->problem = need(strdup(err.text));
		log_error("a volume's document is damaged; what it said before still holds", "volume=%s reason=%s", name,
			  log_quote(err.text));
		return;
	}
	v->revision = doc->revision;
	forget_volfiles(k);
	volume_free(k->v);
	k->v = v;
}

static void host_gone(struct manager *m, const char *uuid)
{
	unsigned i;

	for (i = 0; i < m->nhosts; i++) {
		if (strcasecmp(m->hosts[i]->uuid, uuid) != 0)
			continue;
		host_free(m->hosts[i]);
		m->hosts[i] = m->hosts[--m->nhosts];
		return;
	}
}

static void host_changed(struct manager *m, const char *uuid, const struct store_doc *doc)
{
	struct error err = { "" };
	struct host *h = host_parse(doc->text, doc->len, doc->key, &err);

	if (h && strcasecmp(h->uuid, uuid) != 0) {
		error_set(&err, -EINVAL, "%s: the document is about a host with the uuid %s", doc->key, h->uuid);
		host_free(h);
		h = NULL;
	}
	if (!h) {
		log_error("a host's document is damaged; what it said before still holds", "host=%s reason=%s", log_quote(uuid),
			  log_quote(err.text));
		return;
	}
	h->revision = doc->revision;
	host_gone(m, uuid);
	m->hosts = need(realloc(m->hosts, (m->nhosts + 1) * sizeof(m->hosts[0])));
	m->hosts[m->nhosts++] = h;
}

/* --- names of hosts --- */

const struct host *known_host(const struct manager *m, const char *name)
{
	unsigned i;

	for (i = 0; i < m->nhosts; i++)
		if (host_is(m->hosts[i], name))
			return m->hosts[i];
	if (is_this_host(m, name))
		return m->self;
	return NULL;
}

/* The addresses of this host's interfaces, as they were a second ago at most: to ask the kernel for each call would cost more than the call. */
static struct {
	char (*texts)[NI_MAXHOST];
	unsigned n;
	uint64_t until_ns;
} own;

static void add_own(const struct sockaddr *addr)
{
	char text[NI_MAXHOST];

	if (!addr || (addr->sa_family != AF_INET && addr->sa_family != AF_INET6) ||
	    getnameinfo(addr, addr->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6), text, sizeof(text),
			NULL, 0, NI_NUMERICHOST))
		return;
	text[strcspn(text, "%")] = 0; /* the zone */
	own.texts = need(realloc(own.texts, (own.n + 1) * sizeof(own.texts[0])));
	memcpy(own.texts[own.n++], text, sizeof(text));
}

static void find_own_addresses(const struct manager *m)
{
	struct ifaddrs *list, *i;

	if (loop_now_ns(m->loop) < own.until_ns || getifaddrs(&list) < 0)
		return;
	own.n = 0;
	for (i = list; i; i = i->ifa_next)
		add_own(i->ifa_addr);
	freeifaddrs(list);
	own.until_ns = loop_now_ns(m->loop) + OWN_ADDRESSES_NS;
}

bool has_address(const struct manager *m, const char *text)
{
	unsigned i;

	find_own_addresses(m);
	for (i = 0; i < own.n; i++)
		if (strcasecmp(own.texts[i], text) == 0)
			return true;
	return false;
}

bool is_this_host(const struct manager *m, const char *name)
{
	return host_is(m->self, name) || strcasecmp(name, "localhost") == 0 || has_address(m, name);
}

/* Our own, made once a round of the loop: whoever looks at a thousand bricks asks a thousand times. A new reference. */
static json_t *own_status(struct manager *m)
{
	if (!m->own_status || m->own_status_ns != loop_now_ns(m->loop)) {
		json_decref(m->own_status);
		m->own_status = status_indexed(status_of_this_host(m));
		m->own_status_ns = loop_now_ns(m->loop);
	}
	return json_incref(m->own_status);
}

/* Of another host; parsed when it is asked for first. Borrowed; NULL when it is no object. */
static json_t *parsed_status(struct manager *m, const char *uuid, const struct store_doc *doc)
{
	json_t *kept = json_object_get(m->statuses, uuid), *status;

	if (kept && json_integer_value(json_object_get(kept, "revision")) == (json_int_t)doc->revision)
		return json_object_get(kept, "status");
	if (!m->statuses)
		m->statuses = need(json_object());
	status = json_parse(doc->text, doc->len);
	if (!json_is_object(status)) {
		json_decref(status);
		json_object_del(m->statuses, uuid);
		return NULL;
	}
	json_object_set_new(m->statuses, uuid, need(json_pack("{s:I, s:o}", "revision", (json_int_t)doc->revision, "status",
							      status_indexed(status))));
	return status;
}

json_t *host_status(struct manager *m, const char *uuid)
{
	char key[sizeof("status/") + GFID_TEXT_SIZE];
	const struct store_doc *doc;

	if (strcmp(uuid, m->uuid) == 0)
		return own_status(m);
	snprintf(key, sizeof(key), "status/%.36s", uuid);
	doc = store_get(m->store, key);
	return doc ? json_incref(parsed_status(m, uuid, doc)) : NULL;
}

const struct volfiles_tls *manager_tls(const struct manager *m)
{
	static struct volfiles_tls tls;

	tls = (struct volfiles_tls){ m->conf.tls_certificate, m->conf.tls_key, m->conf.tls_ca };
	return &tls;
}

/* --- what comes --- */

/* Another manager says that it is this host: its directory was copied. */
static void watch_for_twin(struct manager *m, const char *uuid, const struct store_doc *doc)
{
	json_t *status = doc && m->registered && strcmp(uuid, m->uuid) == 0 ? json_parse(doc->text, doc->len) : NULL;
	const char *instance = json_string_value(json_object_get(status, "instance"));

	if (instance && strcmp(instance, m->instance) != 0)
		log_error("another manager uses this host's uuid: stop one of the two, remove its host.xml and start it again",
			  "uuid=%s its_host=%s", m->uuid,
			  log_quote(json_string_value(json_object_get(status, "host")) ? json_string_value(json_object_get(status, "hos"
																   "t"))
										       : "?"));
	json_decref(status);
}

void knowledge_changed(struct manager *m, const char *key)
{
	const struct store_doc *doc = store_get(m->store, key);
	const char *name = strchr(key, '/');
	struct error err = { "" };

	if (!name++)
		return;
	if (strncmp(key, "volumes/", 8) == 0 && volume_name_check(name, &err) < 0) {
		log_error("a document of the store has a name that no volume can have, and is left alone", "document=%s reason=%s",
			  log_quote(key), log_quote(err.text));
	} else if (strncmp(key, "volumes/", 8) == 0) {
		if (doc)
			volume_changed(m, name, doc);
		else
			volume_gone(m, name);
		programs_volume_changed(m, name);
		reconcile_wanted(m);
	} else if (strncmp(key, "hosts/", 6) == 0) {
		if (doc)
			host_changed(m, name, doc);
		else
			host_gone(m, name);
		if (!doc && m->registered && strcmp(name, m->uuid) == 0)
			join_leave_cluster(m);
		reconcile_wanted(m);
	} else if (strncmp(key, "status/", 7) == 0) {
		watch_for_twin(m, name, doc);
		if (!doc && m->statuses)
			json_object_del(m->statuses, name);
		co_queue_wake_all(&m->moved);
	} else {
		requests_changed(m, key);
	}
}

void knowledge_free(struct manager *m)
{
	while (m->nvolumes)
		volume_gone(m, m->volumes[m->nvolumes - 1].name);
	while (m->nhosts)
		host_gone(m, m->hosts[m->nhosts - 1]->uuid);
	free(m->volumes);
	free(m->hosts);
	json_decref(m->statuses);
	json_decref(m->own_status);
	m->statuses = m->own_status = NULL;
	free(own.texts);
	own.texts = NULL;
	own.n = 0;
}
