/* mgmt/etcd_json.c: etcd's calls and answers in JSON, as its gateway maps protobuf: bytes are base64, 64-bit integers are strings, and what
 * is false, 0 or empty is absent.
 *
 * An answer is taken apart from a tree that jansson builds. It is looked over before: jansson descends as deep as the text says, on a
 * coroutine's small stack, and a tree may take a hundred times the room of its text. */
#include "mgmt/etcd.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16
#define VALUES_MAX 500000u

/* --- base64 --- */

static char *base64_encode(const void *data, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = malloc((len + 2) / 3 * 4 + 1), *out = text;
	const unsigned char *in = data;
	uint32_t group;
	size_t i;

	if (!text)
		return NULL;
	for (i = 0; i < len; i += 3, out += 4) {
		group = (uint32_t)in[i] << 16 | (i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0) | (i + 2 < len ? in[i + 2] : 0);
		out[0] = digits[group >> 18];
		out[1] = digits[group >> 12 & 63];
		out[2] = i + 1 < len ? digits[group >> 6 & 63] : '=';
		out[3] = i + 2 < len ? digits[group & 63] : '=';
	}
	*out = 0;
	return text;
}

static int digit_of(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Allocated, with a NUL behind it. 0, -EPROTO or -ENOMEM. */
static int base64_decode(const char *text, size_t len, char **ret_data, size_t *ret_len)
{
	size_t padding = len && text[len - 1] == '=' ? 1 + (len > 1 && text[len - 2] == '=') : 0, i, n = 0;
	uint32_t group = 0;
	char *data;
	int digit;

	if (len % 4)
		return -EPROTO;
	data = malloc(len / 4 * 3 + 1);
	if (!data)
		return -ENOMEM;
	for (i = 0; i < len; i++) {
		digit = i < len - padding ? digit_of((unsigned char)text[i]) : 0;
		if (digit < 0) {
			free(data);
			return -EPROTO;
		}
		group = group << 6 | (uint32_t)digit;
		if (i % 4 < 3)
			continue;
		data[n++] = (char)(group >> 16);
		data[n++] = (char)(group >> 8);
		data[n++] = (char)group;
	}
	n -= padding;
	data[n] = 0;
	*ret_data = data;
	*ret_len = n;
	return 0;
}

/* --- calls --- */

static json_t *bytes(const void *data, size_t len)
{
	char *text = base64_encode(data, len);
	json_t *value = text ? json_string_nocheck(text) : NULL;

	free(text);
	return value;
}

static json_t *number(uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	return json_string_nocheck(text);
}

/* Takes @call. */
static char *text_of(json_t *call)
{
	char *text = call ? json_dumps(call, JSON_COMPACT) : NULL;

	json_decref(call);
	return text;
}

char *etcd_prefix_end(const char *prefix)
{
	size_t len = strlen(prefix);
	char *end = strdup(prefix);

	while (end && len && (unsigned char)end[len - 1] == 0xff)
		end[--len] = 0;
	if (end && len)
		end[len - 1]++;
	return end;
}

char *etcd_encode_range(const struct etcd_range *r)
{
	json_t *call = json_pack("{s:o}", "key", bytes(r->key, r->key_len));

	if (r->end)
		json_object_set_new(call, "range_end", bytes(r->end, strlen(r->end)));
	if (r->limit)
		json_object_set_new(call, "limit", number(r->limit));
	if (r->revision)
		json_object_set_new(call, "revision", number(r->revision));
	if (r->count_only)
		json_object_set_new(call, "count_only", json_true());
	return text_of(call);
}

char *etcd_encode_txn(const char *key, const char *value, size_t len, uint64_t expected, int64_t lease)
{
	json_t *name = bytes(key, strlen(key)), *body, *call;

	if (value) {
		body = json_pack("{s:O,s:o}", "key", name, "value", bytes(value, len));
		if (body && lease)
			json_object_set_new(body, "lease", number((uint64_t)lease));
		call = json_pack("{s:[{s:o}]}", "success", "request_put", body);
	} else {
		call = json_pack("{s:[{s:{s:O}}]}", "success", "request_delete_range", "key", name);
	}
	if (call && expected != ETCD_ANY) {
		json_object_set_new(call, "compare", json_pack("[{s:s,s:s,s:O,s:o}]", "target", "MOD", "result", "EQUAL", "key", name,
							       "mod_revision", number(expected)));
		json_object_set_new(call, "failure", json_pack("[{s:{s:O}}]", "request_range", "key", name));
	}
	json_decref(name);
	return text_of(call);
}

char *etcd_encode_grant(unsigned ttl_s)
{
	return text_of(json_pack("{s:o}", "TTL", number(ttl_s)));
}

char *etcd_encode_lease(int64_t lease)
{
	return text_of(json_pack("{s:o}", "ID", number((uint64_t)lease)));
}

/* Fragments: a line of it is bounded by etcd's own limit of a request then. */
char *etcd_encode_watch(const char *prefix, uint64_t from_revision)
{
	char *end = etcd_prefix_end(prefix);
	json_t *call = NULL;

	if (end)
		call = json_pack("{s:{s:o,s:o,s:o,s:b,s:b}}", "create_request", "key", bytes(prefix, strlen(prefix)),
				 "range_end", bytes(end, strlen(end)), "start_revision", number(from_revision),
				 "progress_notify", 1, "fragment", 1);
	free(end);
	return text_of(call);
}

/* --- answers: members of an object. Absent is not wrong --- */

static int wrong(struct error *err, const char *name)
{
	return error_set(err, -EPROTO, "it answers with a \"%s\" that is none", name);
}

static int get_number(const json_t *o, const char *name, uint64_t max, uint64_t *ret, struct error *err)
{
	const json_t *value = json_object_get(o, name);
	const char *text, *at;
	uint64_t n = 0;

	*ret = 0;
	if (!value)
		return 0;
	if (json_is_integer(value)) {
		if (json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > max)
			return wrong(err, name);
		*ret = (uint64_t)json_integer_value(value);
		return 0;
	}
	text = json_string_value(value);
	if (!text || !*text)
		return wrong(err, name);
	for (at = text; *at; at++) {
		if (*at < '0' || *at > '9' || n > (UINT64_MAX - (uint64_t)(*at - '0')) / 10)
			return wrong(err, name);
		n = n * 10 + (uint64_t)(*at - '0');
	}
	if (n > max)
		return wrong(err, name);
	*ret = n;
	return 0;
}

static int get_bool(const json_t *o, const char *name, bool *ret, struct error *err)
{
	const json_t *value = json_object_get(o, name);

	*ret = json_is_true(value);
	return !value || json_is_boolean(value) ? 0 : wrong(err, name);
}

static int get_bytes(const json_t *o, const char *name, char **ret, size_t *ret_len, struct error *err)
{
	const json_t *value = json_object_get(o, name);
	int ret_code;

	if (value && !json_is_string(value))
		return wrong(err, name);
	ret_code = base64_decode(value ? json_string_value(value) : "", value ? json_string_length(value) : 0, ret, ret_len);
	return ret_code == -EPROTO ? wrong(err, name) : ret_code;
}

static int get_array(const json_t *o, const char *name, const json_t **ret, struct error *err)
{
	*ret = json_object_get(o, name);
	return !*ret || json_is_array(*ret) ? 0 : wrong(err, name);
}

static void print(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text ? text : "");
	for (; *to; to++)
		if ((unsigned char)*to < ' ' || *to == 0x7f)
			*to = ' ';
}

/* --- answers: what they are made of --- */

static int take_header(const json_t *o, struct etcd_answer *a, struct error *err)
{
	const json_t *header = json_object_get(o, "header");
	int ret;

	if (!json_is_object(header))
		return wrong(err, "header");
	ret = get_number(header, "cluster_id", UINT64_MAX, &a->cluster_id, err);
	return ret < 0 ? ret : get_number(header, "revision", INT64_MAX, &a->revision, err);
}

/* Counted in @a before it is checked, so that whoever frees the answer frees this, too. */
static int take_kv(const json_t *o, bool deleted, struct etcd_answer *a, struct error *err)
{
	struct etcd_kv *kv = &a->kvs[a->n++];
	int ret;

	if (!json_is_object(o))
		return wrong(err, "kv");
	ret = get_bytes(o, "key", &kv->key, &kv->key_len, err);
	if (ret == 0 && !deleted)
		ret = get_bytes(o, "value", &kv->value, &kv->len, err);
	if (ret == 0)
		ret = get_number(o, "mod_revision", INT64_MAX, &kv->revision, err);
	return ret == 0 && !kv->revision ? wrong(err, "mod_revision") : ret;
}

static int make_kvs(const json_t *list, struct etcd_answer *a)
{
	if (a->kvs || !json_array_size(list))
		return 0;
	a->kvs = calloc(json_array_size(list), sizeof(*a->kvs));
	return a->kvs ? 0 : -ENOMEM;
}

static int take_kvs(const json_t *o, struct etcd_answer *a, struct error *err)
{
	const json_t *list;
	int ret = get_array(o, "kvs", &list, err);
	size_t i;

	if (ret == 0)
		ret = make_kvs(list, a);
	for (i = 0; ret == 0 && i < json_array_size(list); i++)
		ret = take_kv(json_array_get(list, i), false, a, err);
	return ret;
}

static int take_range(const json_t *o, struct etcd_answer *a, struct error *err)
{
	int ret = get_bool(o, "more", &a->more, err);

	return ret < 0 ? ret : take_kvs(o, a, err);
}

static int take_txn(const json_t *o, struct etcd_answer *a, struct error *err)
{
	const json_t *list = NULL, *range;
	int ret = get_bool(o, "succeeded", &a->succeeded, err);

	if (ret == 0)
		ret = get_array(o, "responses", &list, err);
	if (ret < 0 || a->succeeded)
		return ret;
	range = json_object_get(json_array_get(list, 0), "response_range");
	return json_is_object(range) ? take_kvs(range, a, err) : wrong(err, "response_range");
}

static int take_lease(const json_t *o, struct etcd_answer *a, struct error *err)
{
	uint64_t id;
	int ret = get_number(o, "ID", INT64_MAX, &id, err);

	a->lease = (int64_t)id;
	return ret < 0 ? ret : get_number(o, "TTL", INT64_MAX, &a->ttl_s, err);
}

/* Type: absent is a put, and "DELETE" may also be the number of that name. */
static int take_event(const json_t *event, struct etcd_answer *a, struct error *err)
{
	const json_t *type = json_object_get(event, "type");
	const char *word = json_string_value(type);
	bool deleted = word ? strcmp(word, "DELETE") == 0 : json_integer_value(type) == 1;

	if (word && !deleted && strcmp(word, "PUT") != 0)
		return wrong(err, "type");
	return take_kv(json_object_get(event, "kv"), deleted, a, err);
}

static int take_watch(const json_t *o, struct etcd_answer *a, struct error *err)
{
	const json_t *list = NULL;
	size_t i;
	int ret = get_bool(o, "created", &a->created, err);

	if (ret == 0)
		ret = get_bool(o, "canceled", &a->canceled, err);
	if (ret == 0)
		ret = get_bool(o, "fragment", &a->fragment, err);
	if (ret == 0)
		ret = get_number(o, "compact_revision", INT64_MAX, &a->compact_revision, err);
	if (ret == 0)
		ret = get_array(o, "events", &list, err);
	if (ret == 0)
		ret = make_kvs(list, a);
	for (i = 0; ret == 0 && i < json_array_size(list); i++)
		ret = take_event(json_array_get(list, i), a, err);
	print(a->reason, sizeof(a->reason), json_string_value(json_object_get(o, "cancel_reason")));
	return ret;
}

/* --- answers --- */

/* True when jansson may see it. */
static bool is_moderate(const char *text, size_t len)
{
	unsigned depth = 0, values = 0;
	bool quoted = false;
	size_t i;

	for (i = 0; i < len; i++) {
		if (quoted) {
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				quoted = false;
			continue;
		}
		switch (text[i]) {
		case '"':
			quoted = true;
			break;
		case '{':
		case '[':
			if (++depth > DEPTH_MAX || ++values > VALUES_MAX)
				return false;
			break;
		case '}':
		case ']':
			depth -= depth > 0;
			break;
		case ',':
			if (++values > VALUES_MAX)
				return false;
		}
	}
	return true;
}

static json_t *parse(const char *text, size_t len, struct error *err)
{
	json_error_t where;
	json_t *tree;

	if (!is_moderate(text, len)) {
		error_set(err, -EPROTO, "it answers with JSON of more than %u levels or %u values", DEPTH_MAX, VALUES_MAX);
		return NULL;
	}
	tree = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
	if (!json_is_object(tree)) {
		error_set(err, -EPROTO, "its answer is not the JSON of etcd");
		json_decref(tree);
		return NULL;
	}
	return tree;
}

/* In a stream each answer is wrapped, and so is an error. */
static const json_t *unwrap(const json_t *tree, struct error *err)
{
	const json_t *result = json_object_get(tree, "result"), *error = json_object_get(tree, "error");
	char said[200];

	if (json_is_object(result))
		return result;
	print(said, sizeof(said), json_string_value(json_object_get(error, "message")));
	if (said[0])
		error_set(err, -EPROTO, "it says: %s", said);
	else
		wrong(err, "result");
	return NULL;
}

int etcd_decode(enum etcd_shape shape, const char *text, size_t len, struct etcd_answer *ret, struct error *err)
{
	static int (*const takers[])(const json_t *, struct etcd_answer *, struct error *) = {
		[ETCD_RANGE] = take_range, [ETCD_TXN] = take_txn, [ETCD_LEASE] = take_lease, [ETCD_KEEPALIVE] = take_lease,
		[ETCD_WATCH] = take_watch,
	};
	json_t *tree = parse(text, len, err);
	const json_t *o = tree;
	int r = -EPROTO;

	*ret = (struct etcd_answer){ 0 };
	if (tree && (shape == ETCD_KEEPALIVE || shape == ETCD_WATCH))
		o = unwrap(tree, err);
	if (o)
		r = take_header(o, ret, err);
	if (r == 0)
		r = takers[shape](o, ret, err);
	json_decref(tree);
	if (r < 0)
		etcd_answer_free(ret);
	return r;
}

int etcd_decode_refusal(const char *text, size_t len, char *ret_said, size_t size)
{
	json_t *tree = parse(text, len, NULL);
	const json_t *o = tree, *code, *message;

	if (json_is_object(json_object_get(tree, "error")))
		o = json_object_get(tree, "error");
	code = json_object_get(o, "code");
	if (!code)
		code = json_object_get(o, "grpc_code");
	message = json_object_get(o, "message");
	print(ret_said, size, json_string_value(json_is_string(message) ? message : json_object_get(o, "error")));
	len = json_is_integer(code) && json_integer_value(code) >= 0 && json_integer_value(code) < 100 ? (size_t)json_integer_value(code) : 100;
	json_decref(tree);
	return len < 100 ? (int)len : -1;
}

void etcd_answer_free(struct etcd_answer *a)
{
	size_t i;

	for (i = 0; i < a->n; i++) {
		free(a->kvs[i].key);
		free(a->kvs[i].value);
	}
	free(a->kvs);
	a->kvs = NULL;
	a->n = 0;
}
