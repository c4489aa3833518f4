/* mgmt/document.c: documents of the store: libxml2 reads and checks them, and writes them again.
 *
 * A struct keeps the tree that it came from. Writing brings the tree up to date in place: what is ours is set, moved or removed; everything else
 * stays where it is. */
#include "mgmt/document.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <libxml/tree.h>

#include "mgmt/text.h"

extern const char mgmt_schema_text[]; /* gatehouse.rng, put into C by the makefile */

#define X(text) ((const xmlChar *)(text))

void document_free(void *document)
{
	if (document)
		xmlFreeDoc(document);
}

/* --- reading --- */

/* libxml2's sentences end in a newline, which ours do not. */
static int complain(struct error *err, const char *where, int line, const char *message)
{
	int len = message ? (int)strcspn(message, "\n") : 0;

	return error_set(err, -EINVAL, "%s:%d: %.*s", where, line, len ? len : 7, len ? message : "unknown");
}

static xmlDoc *read_tree(const char *text, size_t len, const char *where, struct error *err)
{
	xmlParserCtxt *ctxt;
	const xmlError *last;
	xmlDoc *doc;

	if (document_scan(text, len, where, err) < 0)
		return NULL;
	ctxt = need(xmlNewParserCtxt());
	doc = xmlCtxtReadMemory(ctxt, text, (int)len, NULL, "UTF-8",
				XML_PARSE_NONET | XML_PARSE_NOBLANKS | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	last = xmlCtxtGetLastError(ctxt);
	if (!doc)
		complain(err, where, last ? last->line : 1, last && last->message ? last->message : "this is no XML");
	xmlFreeParserCtxt(ctxt);
	return doc;
}

struct complaint {
	struct error *err;
	const char *where;
};

/* What the schema wants of an element, in words. */
static const char *expected(const xmlNode *n)
{
	static const struct { const char *element, *words; } all[] = {
		{ "volume", "name, id (a uuid) and version, and in it state, layout, bricks, options and secrets" },
		{ "state", "created, started or stopped" },
		{ "layout", "replica, 1 to 64, and arbiter, 0 or 1" },
		{ "bricks", "one brick or more" },
		{ "brick", "host, host-id (a uuid) and path (from the root on)" },
		{ "option", "name, and a value as text" },
		{ "secrets", "handle-key and login" },
		{ "handle-key", "64 hexadecimal digits" },
		{ "login", "username and password, two uuids" },
		{ "host", "name and uuid" },
	};
	unsigned i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (xmlStrEqual(n->name, X(all[i].element)))
			return all[i].words;
	return "nothing of that kind";
}

/* The first complaint that says where is the innermost, and tells most. */
static void on_invalid(void *arg, xmlError *e)
{
	struct complaint *c = arg;
	const xmlNode *n = e->node;
	int len = (int)strcspn(e->message, "\n");

	if (!n || c->err->text[0])
		return;
	while (len && e->message[len - 1] == ' ')
		len--;
	error_set(c->err, -EINVAL, "%s:%d: element %s: %.*s; expected %s", c->where, (int)xmlGetLineNo(n), (const char *)n->name, len,
		  e->message, expected(n));
}

static xmlRelaxNG *schema(void)
{
	static xmlRelaxNG *parsed;
	xmlRelaxNGParserCtxt *ctxt;

	if (!parsed) {
		ctxt = need(xmlRelaxNGNewMemParserCtxt(mgmt_schema_text, (int)strlen(mgmt_schema_text)));
		parsed = need(xmlRelaxNGParse(ctxt));
		xmlRelaxNGFreeParserCtxt(ctxt);
	}
	return parsed;
}

static int validate(xmlDoc *doc, const char *where, struct error *err)
{
	struct error own = { "" };
	struct complaint c = { err ? err : &own, where };
	xmlRelaxNGValidCtxt *ctxt = need(xmlRelaxNGNewValidCtxt(schema()));
	int ret;

	xmlRelaxNGSetValidStructuredErrors(ctxt, on_invalid, &c);
	ret = xmlRelaxNGValidateDoc(ctxt, doc);
	xmlRelaxNGFreeValidCtxt(ctxt);
	return ret ? error_set(err, -EINVAL, "%s: it does not follow the schema", where) : 0;
}

static xmlNode *child(const xmlNode *parent, const char *name)
{
	xmlNode *n;

	for (n = parent->children; n; n = n->next)
		if (n->type == XML_ELEMENT_NODE && !n->ns && xmlStrEqual(n->name, X(name)))
			return n;
	return NULL;
}

/* The next element @name, @n included. */
static xmlNode *next_named(xmlNode *n, const char *name)
{
	while (n && (n->type != XML_ELEMENT_NODE || n->ns || !xmlStrEqual(n->name, X(name))))
		n = n->next;
	return n;
}

static xmlDoc *read_document(const char *text, size_t len, const char *root, const char *where, struct error *err)
{
	xmlDoc *doc = read_tree(text, len, where, err);
	xmlNode *top;

	if (!doc)
		return NULL;
	top = xmlDocGetRootElement(doc);
	if (validate(doc, where, err) == 0 && xmlStrEqual(top->name, X(root)))
		return doc;
	error_set(err, -EINVAL, "%s:%d: expected a document about a %s, found one about a %s", where, (int)top->line, root,
		  (const char *)top->name);
	xmlFreeDoc(doc);
	return NULL;
}

/* A string of libxml2's as one of ours; "" when the attribute is not there. */
static char *attribute(const xmlNode *n, const char *name)
{
	xmlChar *value = xmlGetNoNsProp(n, X(name));
	char *own = need(strdup(value ? (const char *)value : ""));

	xmlFree(value);
	return own;
}

static unsigned long number(const xmlNode *n, const char *name)
{
	char *text = attribute(n, name);
	unsigned long value = strtoul(text, NULL, 10);

	free(text);
	return value;
}

static char *content(const xmlNode *n)
{
	xmlChar *value = xmlNodeGetContent(n);
	char *own = need(strdup(value ? (const char *)value : ""));

	xmlFree(value);
	return own;
}

/* Without the blanks around it, which the schema lets through where it wants a word or a number. */
static char *word(char *text)
{
	static const char blanks[] = " \t\r\n";
	size_t before = strspn(text, blanks), len = strlen(text + before);

	while (len && strchr(blanks, text[before + len - 1]))
		len--;
	memmove(text, text + before, len);
	text[len] = 0;
	return text;
}

static void copy_attribute(const xmlNode *n, const char *name, char *buf, size_t size)
{
	char *text = attribute(n, name);

	memset(buf, 0, size);
	strncpy(buf, text, size - 1);
	free(text);
}

static void read_hex(const xmlNode *n, uint8_t *to, size_t size)
{
	char *text = word(content(n));
	unsigned byte;
	size_t i;

	for (i = 0; i < size && sscanf(text + 2 * i, "%2x", &byte) == 1; i++)
		to[i] = (uint8_t)byte;
	free(text);
}

static bool is_true(const xmlNode *n, const char *name)
{
	char *text = word(attribute(n, name));
	bool yes = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;

	free(text);
	return yes;
}

static void read_bricks(struct volume *v, const xmlNode *bricks)
{
	xmlNode *n = next_named(bricks->children, "brick");

	for (; n; n = next_named(n->next, "brick")) {
		char *host = attribute(n, "host"), *id = attribute(n, "host-id"), *path = attribute(n, "path");

		volume_add_brick(v, host, id, path, is_true(n, "arbiter"));
		free(host);
		free(id);
		free(path);
	}
}

/* Read the record of marked directories; call beside read_bricks(). */
static void read_identities(struct volume *v, const xmlNode *bricks)
{
	xmlNode *n = next_named(bricks->children, "brick");
	char *identity;
	unsigned i;

	for (i = 0; n && i < v->nbricks; i++, n = next_named(n->next, "brick")) {
		identity = attribute(n, "identity");
		volume_brick_set_identity(&v->bricks[i], identity);
		free(identity);
	}
}

static void read_options(struct volume *v, const xmlNode *options)
{
	xmlNode *n = next_named(options->children, "option");

	for (; n; n = next_named(n->next, "option")) {
		char *name = attribute(n, "name"), *value = content(n);

		volume_set_option(v, name, value);
		free(name);
		free(value);
	}
}

static void read_state(struct volume *v, const xmlNode *state)
{
	char *text = word(content(state));

	v->state = strcmp(text, "started") == 0 ? VOLUME_STARTED : strcmp(text, "stopped") == 0 ? VOLUME_STOPPED : VOLUME_CREATED;
	free(text);
}

/* All of it goes into volfiles, of which a stock parser would run what stands between backquotes, and lines into exports. */
static bool is_harmless(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f || *text == '`')
			return false;
	return true;
}

static int check_texts(const struct volume *v, const char *where, struct error *err)
{
	unsigned i;

	for (i = 0; i < v->nbricks; i++)
		if (!is_harmless(v->bricks[i].host) || !is_harmless(v->bricks[i].path) ||
		    (v->bricks[i].identity && !is_harmless(v->bricks[i].identity)))
			return error_set(err, -EINVAL, "%s: brick number %u: control characters and backquotes have no place in it", where,
					 i + 1);
	for (i = 0; i < v->noptions; i++)
		if (!is_harmless(v->options[i].name) || !is_harmless(v->options[i].value))
			return error_set(err, -EINVAL, "%s: option %.64s: control characters and backquotes have no place in it", where,
					 v->options[i].name);
	return 0;
}

/* What the schema cannot say. */
static int check_volume(const struct volume *v, const xmlNode *top, const char *where, struct error *err)
{
	if (v->nbricks % v->replica)
		return error_set(err, -EINVAL, "%s:%d: %u bricks are no multiple of replica %u", where, (int)child(top, "bricks")->line,
				 v->nbricks, v->replica);
	if (v->arbiter && v->replica < 2)
		return error_set(err, -EINVAL, "%s:%d: an arbiter needs a replica count of 2 or more", where,
				 (int)child(top, "layout")->line);
	return check_texts(v, where, err);
}

struct volume *volume_parse(const char *text, size_t len, const char *where, struct error *err)
{
	xmlDoc *doc = read_document(text, len, "volume", where, err);
	xmlNode *top, *secrets;
	struct volume *v;
	char *name, *id;

	if (!doc)
		return NULL;
	top = xmlDocGetRootElement(doc);
	name = attribute(top, "name");
	id = attribute(top, "id");
	v = volume_new(name);
	v->document = doc;
	gfid_parse(id, v->id);
	v->version = number(top, "version");
	read_state(v, child(top, "state"));
	v->replica = (unsigned)number(child(top, "layout"), "replica");
	v->arbiter = (unsigned)number(child(top, "layout"), "arbiter");
	read_bricks(v, child(top, "bricks"));
	read_identities(v, child(top, "bricks"));
	read_options(v, child(top, "options"));
	secrets = child(top, "secrets");
	read_hex(child(secrets, "handle-key"), v->handle_key, sizeof(v->handle_key));
	copy_attribute(child(secrets, "login"), "username", v->login[0], sizeof(v->login[0]));
	copy_attribute(child(secrets, "login"), "password", v->login[1], sizeof(v->login[1]));
	v->login_only = is_true(child(secrets, "login"), "login-only");
	free(name);
	free(id);
	if (check_volume(v, top, where, err) < 0) {
		volume_free(v);
		return NULL;
	}
	return v;
}

struct host *host_parse(const char *text, size_t len, const char *where, struct error *err)
{
	xmlDoc *doc = read_document(text, len, "host", where, err);
	char *name, *uuid, *address;
	struct host *h;
	xmlNode *n;

	if (!doc)
		return NULL;
	name = attribute(xmlDocGetRootElement(doc), "name");
	uuid = attribute(xmlDocGetRootElement(doc), "uuid");
	h = host_new(uuid, name);
	h->document = doc;
	free(name);
	free(uuid);
	for (n = next_named(xmlDocGetRootElement(doc)->children, "address"); n; n = next_named(n->next, "address")) {
		address = content(n);
		host_add_address(h, address);
		free(address);
	}
	n = child(xmlDocGetRootElement(doc), "store");
	h->store = n ? content(n) : NULL;
	return h;
}

/* --- writing --- */

static xmlNode *root_of(void **document, const char *name)
{
	xmlDoc *doc = *document;

	if (!doc) {
		doc = need(xmlNewDoc(X("1.0")));
		xmlDocSetRootElement(doc, need(xmlNewNode(NULL, X(name))));
		*document = doc;
	}
	return xmlDocGetRootElement(doc);
}

static xmlNode *child_or_new(xmlNode *parent, const char *name)
{
	xmlNode *n = child(parent, name);

	return n ? n : need(xmlNewChild(parent, NULL, X(name), NULL));
}

static void set(xmlNode *n, const char *name, const char *value)
{
	need(xmlSetProp(n, X(name), X(value)));
}

static void set_number(xmlNode *n, const char *name, unsigned long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", value);
	set(n, name, text);
}

static void set_content(xmlNode *n, const char *text)
{
	xmlNode *t = need(xmlNewDocText(n->doc, X(text)));

	xmlNodeSetContent(n, NULL);
	need(xmlAddChild(n, t));
}

static bool has(const xmlNode *n, const char *name, const char *value)
{
	char *own = attribute(n, name);
	bool same = strcmp(own, value) == 0;

	free(own);
	return same;
}

/* Takes the elements @name of @parent out into a list of their own (by ->next), to be put back one by one, or freed. */
static xmlNode *take_out(xmlNode *parent, const char *name)
{
	xmlNode *n = next_named(parent->children, name), *next, *list = need(xmlNewDocNode(parent->doc, NULL, X("list"), NULL));

	for (; n; n = next) {
		next = next_named(n->next, name);
		xmlUnlinkNode(n);
		xmlAddChild(list, n);
	}
	return list;
}

/* The element of @list with these attributes' values, or a new one; now the last of @parent. */
static xmlNode *put_back(xmlNode *parent, xmlNode *list, const char *name, const char *attribute_name, const char *value,
			 const char *second, const char *second_value)
{
	xmlNode *n = list->children;

	while (n && !(has(n, attribute_name, value) && (!second || has(n, second, second_value))))
		n = n->next;
	if (n)
		xmlUnlinkNode(n);
	else
		n = need(xmlNewDocNode(parent->doc, NULL, X(name), NULL));
	xmlAddChild(parent, n);
	set(n, attribute_name, value);
	if (second)
		set(n, second, second_value);
	return n;
}

static void write_bricks(const struct volume *v, xmlNode *bricks)
{
	xmlNode *list = take_out(bricks, "brick"), *n;
	unsigned i;

	for (i = 0; i < v->nbricks; i++) {
		const struct volume_brick *b = &v->bricks[i];

		n = put_back(bricks, list, "brick", "host-id", b->host_id, "path", b->path);
		set(n, "host", b->host);
		if (b->arbiter)
			set(n, "arbiter", "true");
		else
			xmlUnsetProp(n, X("arbiter"));
		if (b->identity)
			set(n, "identity", b->identity);
		else
			xmlUnsetProp(n, X("identity"));
	}
	xmlFreeNode(list);
}

static void write_options(const struct volume *v, xmlNode *options)
{
	xmlNode *list = take_out(options, "option");
	unsigned i;

	for (i = 0; i < v->noptions; i++)
		set_content(put_back(options, list, "option", "name", v->options[i].name, NULL, NULL), v->options[i].value);
	xmlFreeNode(list);
}

static void write_secrets(const struct volume *v, xmlNode *secrets)
{
	char hex[2 * sizeof(v->handle_key) + 1];
	xmlNode *login;
	size_t i;

	for (i = 0; i < sizeof(v->handle_key); i++)
		snprintf(hex + 2 * i, 3, "%02x", v->handle_key[i]);
	set_content(child_or_new(secrets, "handle-key"), hex);
	explicit_bzero(hex, sizeof(hex));
	login = child_or_new(secrets, "login");
	set(login, "username", v->login[0]);
	set(login, "password", v->login[1]);
	if (v->login_only)
		set(login, "login-only", "true");
	else
		xmlUnsetProp(login, X("login-only"));
}

static char *text_of(void *document, size_t *ret_len)
{
	xmlChar *text = NULL;
	int len = 0;
	char *own;

	xmlDocDumpFormatMemoryEnc(document, &text, &len, "UTF-8", 1);
	need(text);
	own = need(malloc((size_t)len + 1));
	memcpy(own, text, (size_t)len);
	own[len] = 0;
	xmlFree(text);
	*ret_len = (size_t)len;
	return own;
}

char *volume_text(struct volume *v, size_t *ret_len)
{
	static const char *const words[] = { "created", "started", "stopped" };
	xmlNode *top = root_of(&v->document, "volume"), *layout;
	char id[GFID_TEXT_SIZE];

	set(top, "name", v->name);
	set(top, "id", gfid_text(v->id, id));
	set_number(top, "version", v->version);
	set_content(child_or_new(top, "state"), words[v->state]);
	layout = child_or_new(top, "layout");
	set_number(layout, "replica", v->replica);
	set_number(layout, "arbiter", v->arbiter);
	write_bricks(v, child_or_new(top, "bricks"));
	write_options(v, child_or_new(top, "options"));
	write_secrets(v, child_or_new(top, "secrets"));
	return text_of(v->document, ret_len);
}

char *host_text(struct host *h, size_t *ret_len)
{
	xmlNode *top = root_of(&h->document, "host");
	unsigned i;

	set(top, "name", h->name);
	set(top, "uuid", h->uuid);
	xmlFreeNode(take_out(top, "address"));
	for (i = 0; i < h->naddresses; i++)
		need(xmlNewTextChild(top, NULL, X("address"), X(h->addresses[i])));
	xmlFreeNode(take_out(top, "store"));
	if (h->store)
		need(xmlNewTextChild(top, NULL, X("store"), X(h->store)));
	return text_of(h->document, ret_len);
}

struct volume *volume_copy(struct volume *v)
{
	struct error err = { "" };
	struct volume *copy;
	size_t len;
	char *text = volume_text(v, &len);

	copy = need(volume_parse(text, len, v->name, &err));
	copy->revision = v->revision;
	explicit_bzero(text, len);
	free(text);
	return copy;
}
