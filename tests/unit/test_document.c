/* tests/unit/test_document.c: documents of the store: there and back, what is refused and with which sentence, and what must survive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mgmt/document.h"
#include "runtime/loop.h"

#define ID "6f1c3d0a-52e4-4c0b-9d7e-0a1b2c3d4e5f"
#define HOST "11111111-2222-3333-4444-555555555555"
#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const char sample[] =
	"<?xml version=\"1.0\"?>\n"
	"<volume name=\"demo\" id=\"" ID "\" version=\"7\" colour=\"blue\">\n"
	"  <state>started</state>\n"
	"  <layout replica=\"2\" arbiter=\"0\"/>\n"
	"  <!-- by hand -->\n"
	"  <bricks>\n"
	"    <brick host=\"h1\" host-id=\"" HOST "\" path=\"/b/1\"><tier fast=\"yes\"/></brick>\n"
	"    <brick host=\"h2\" host-id=\"" HOST "\" path=\"/b/2\"/>\n"
	"  </bricks>\n"
	"  <options><option name=\"nfs.disable\">off</option></options>\n"
	"  <quotas><limit dir=\"/a\">7</limit></quotas>\n"
	"  <secrets><handle-key>" KEY "</handle-key><login username=\"" ID "\" password=\"" HOST "\"/></secrets>\n"
	"</volume>\n";

static struct volume *parsed(const char *text)
{
	struct error err = { "" };
	struct volume *v = volume_parse(text, strlen(text), "demo.xml", &err);

	if (!v)
		fail_msg("%s", err.text);
	return v;
}

static void test_read(void **state)
{
	struct volume *v = parsed(sample);

	assert_string_equal(v->name, "demo");
	assert_int_equal(v->state, VOLUME_STARTED);
	assert_int_equal(v->version, 7);
	assert_int_equal(v->replica, 2);
	assert_int_equal(v->nbricks, 2);
	assert_string_equal(v->bricks[1].host, "h2");
	assert_string_equal(v->bricks[1].path, "/b/2");
	assert_false(v->bricks[1].arbiter);
	assert_string_equal(volume_option(v, "nfs.disable"), "off");
	assert_null(volume_option(v, "nfs"));
	assert_int_equal(v->handle_key[31], 0x1f);
	assert_string_equal(v->login[1], HOST);
	volume_free(v);
}

static void test_preserves(void **state)
{
	struct volume *v = parsed(sample), *again;
	size_t len;
	char *text;

	v->state = VOLUME_STOPPED;
	v->version++;
	volume_set_option(v, "nfs.disable", NULL);
	volume_set_option(v, "auth.allow", "a & <b>");
	volume_add_brick(v, "h3", HOST, "/b/3 \"x\"", false);
	volume_add_brick(v, "h4", HOST, "/b/4", true);
	text = volume_text(v, &len);
	assert_non_null(strstr(text, "colour=\"blue\""));
	assert_non_null(strstr(text, "<!-- by hand -->"));
	assert_non_null(strstr(text, "<tier fast=\"yes\"/>"));
	assert_non_null(strstr(text, "<limit dir=\"/a\">7</limit>"));
	again = parsed(text);
	assert_int_equal(again->state, VOLUME_STOPPED);
	assert_int_equal(again->version, 8);
	assert_int_equal(again->noptions, 1);
	assert_string_equal(volume_option(again, "auth.allow"), "a & <b>");
	assert_int_equal(again->nbricks, 4);
	assert_string_equal(again->bricks[0].path, "/b/1");
	assert_string_equal(again->bricks[2].path, "/b/3 \"x\"");
	assert_true(again->bricks[3].arbiter);
	assert_memory_equal(again->handle_key, v->handle_key, sizeof(v->handle_key));
	assert_false(again->login_only);
	volume_free(again);
	v->login_only = true;
	again = volume_copy(v);
	assert_string_equal(again->bricks[3].host, "h4");
	assert_true(again->login_only);
	volume_free(again);
	volume_free(v);
	free(text);
}

static void test_new(void **state)
{
	struct volume *v = volume_new("fresh"), *again;
	size_t len;
	char *text;

	gfid_parse(ID, v->id);
	strcpy(v->login[0], ID);
	strcpy(v->login[1], HOST);
	volume_add_brick(v, "h1", HOST, "/b", false);
	text = volume_text(v, &len);
	again = parsed(text);
	assert_int_equal(again->state, VOLUME_CREATED);
	assert_int_equal(again->replica, 1);
	volume_free(again);
	volume_free(v);
	free(text);
}

/* @text with the first @from replaced. */
static char *edited(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	char *result;

	assert_non_null(at);
	if (asprintf(&result, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) < 0)
		abort();
	return result;
}

static void refused(const char *from, const char *to, const char *where, const char *sentence)
{
	char *text = edited(sample, from, to);
	struct error err = { "" };
	struct volume *v = volume_parse(text, strlen(text), "demo.xml", &err);

	if (v)
		fail_msg("accepted: %s for %s", to, from);
	if (strncmp(err.text, where, strlen(where)) != 0 || !strstr(err.text, sentence))
		fail_msg("%s instead of %s: the sentence is \"%s\"", to, from, err.text);
	free(text);
}

static void test_refusals(void **state)
{
	refused("</bricks>", "</brick>", "demo.xml:9:", "");
	refused("started", "running", "demo.xml:3:", "");
	refused("replica=\"2\"", "replica=\"0\"", "demo.xml:4:", "");
	refused("replica=\"2\"", "replica=\"3\"", "demo.xml:6:", "2 bricks are no multiple of replica 3");
	refused("  <state>started</state>\n", "", "demo.xml:", "state");
	refused("path=\"/b/1\"", "path=\"b/1\"", "demo.xml:7:", "");
	refused("host=\"h1\" ", "", "demo.xml:7:", "");
	refused(KEY, "00", "demo.xml:12:", "");
	refused(ID, "no-uuid", "demo.xml:2:", "");
	refused("name=\"demo\"", "name=\"../x\"", "demo.xml:2:", "");
	refused("<?xml version=\"1.0\"?>", "<!DOCTYPE volume [<!ENTITY x \"y\">]>", "demo.xml:1:", "document type");
	refused("<volume ", "<host ", "demo.xml:", "");
	refused(sample, "", "demo.xml:1:", "");
	refused(sample, "not XML", "demo.xml:1:", "");
}

static void test_truncated(void **state)
{
	size_t len = strlen(sample) - 1, i;

	for (i = 0; i < len; i++) {
		struct error err = { "" };
		struct volume *v = volume_parse(sample, i, "demo.xml", &err);

		assert_null(v);
		assert_true(err.text[0]);
	}
}

static void test_host(void **state)
{
	struct host *h = host_new(HOST, "h1"), *again;
	struct error err = { "" };
	size_t len;
	char *text;

	host_add_address(h, "192.0.2.1");
	host_add_address(h, "h1");
	host_add_address(h, "2001:db8::1");
	assert_int_equal(h->naddresses, 2);
	text = host_text(h, &len);
	again = host_parse(text, len, "hosts/x", &err);
	assert_non_null(again);
	assert_true(host_is(again, "H1"));
	assert_true(host_is(again, "2001:db8::1"));
	assert_true(host_is(again, HOST));
	assert_false(host_is(again, "h2"));
	assert_null(volume_parse(text, len, "hosts/x", &err));
	assert_non_null(strstr(err.text, "expected a document about a volume, found one about a host"));
	free(text);
	host_free(again);
	host_free(h);
}

/* Reads on a coroutine's stack, as the manager does. */
struct reading {
	const char *text;
	struct volume *v;
	struct error err;
};

static void coroutine_fn read_in_coroutine(void *arg)
{
	struct reading *r = arg;

	r->v = volume_parse(r->text, strlen(r->text), "demo.xml", &r->err);
	loop_stop(loop_self());
}

static struct volume *read_on_loop(const char *text, struct error *err)
{
	struct reading r = { .text = text };
	struct loop *loop = loop_new(NULL);

	co_start(loop, read_in_coroutine, &r);
	loop_run(loop);
	loop_free(loop);
	*err = r.err;
	return r.v;
}

/* @before, @n times @each with its number, @after, in place of the first @from of the sample. */
static char *grown(const char *from, const char *each, unsigned n, const char *after)
{
	char *many = calloc(n, strlen(each) + strlen(after) + 10), *at = many, *text;
	unsigned i;

	for (i = 0; i < n; i++)
		at += sprintf(at, each, i);
	for (i = 0; *after && i < n; i++)
		at += sprintf(at, "%s", after);
	text = edited(sample, from, many);
	free(many);
	return text;
}

static void too_much(const char *from, const char *each, unsigned n, const char *after, const char *sentence)
{
	char *text = grown(from, each, n, after);
	struct error err = { "" };

	assert_null(read_on_loop(text, &err));
	if (!strstr(err.text, sentence))
		fail_msg("the sentence is \"%s\"", err.text);
	free(text);
}

/* What is too deep for a coroutine's stack, or would keep the validator busy for minutes, is refused before. */
static void test_too_much(void **state)
{
	struct error err = { "" };
	struct volume *v;
	char *text;

	too_much("<quotas>", "<quotas><x a%u='1'>", 100, "</x></quotas>", "deep in each other");
	too_much("<quotas>", "<quotas><x%u>", 80000, "</x>", "deep in each other");
	too_much("<quotas>", "<x%u/>", 100000, "", "more than 20000 tags");
	too_much("colour=\"blue\"", "a%u='' ", 60000, "", "more than 64 attributes");
	too_much("<!-- by hand -->", "<!--%u", 1, "-----", "a comment has");
	too_much("<!-- by hand -->", "<?p%u x?>", 30000, "", "more than 20000 tags");
	text = grown("<limit dir=\"/a\">7</limit>", "<x a%u='>\"'>", 13, "</x>");
	v = read_on_loop(text, &err);
	if (!v)
		fail_msg("%s", err.text);
	volume_free(v);
	free(text);
	text = edited(sample, "<!-- by hand -->", "<!--><x \" ' <y> - --><?pi \"<z>?>");
	v = read_on_loop(text, &err);
	if (!v)
		fail_msg("%s", err.text);
	volume_free(v);
	free(text);
}

/* An editor's line breaks change nothing. */
static void test_blanks(void **state)
{
	char *text = edited(sample, "<state>started</state>", "<state>\n  started\n </state>"), *more;
	struct volume *v;

	more = edited(text, KEY, "\n   " KEY "\n ");
	free(text);
	text = edited(more, "path=\"/b/2\"", "path=\"/b/2\" arbiter=\" true \"");
	v = parsed(text);
	assert_int_equal(v->state, VOLUME_STARTED);
	assert_int_equal(v->handle_key[0], 0);
	assert_int_equal(v->handle_key[31], 0x1f);
	assert_true(v->bricks[1].arbiter);
	volume_free(v);
	free(text);
	free(more);
}

/* What a newer version puts among our elements may stand anywhere, and is written back so that it can be read again. */
static void test_newer_among_ours(void **state)
{
	char *text = edited(sample, "<brick host=\"h2\"", "<rack n=\"1\"/><brick host=\"h2\""), *more, *written;
	struct volume *v, *again;
	size_t len;

	more = edited(text, "</bricks>", "<rack n=\"2\"/></bricks>");
	free(text);
	text = edited(more, "<options>", "<options><group name=\"virt\"/>");
	free(more);
	more = edited(text, "</options>", "<group name=\"x\"/></options>");
	v = parsed(more);
	written = volume_text(v, &len);
	again = parsed(written);
	assert_int_equal(again->nbricks, 2);
	assert_string_equal(again->bricks[1].host, "h2");
	assert_string_equal(volume_option(again, "nfs.disable"), "off");
	assert_non_null(strstr(written, "<rack n=\"1\"/>"));
	assert_non_null(strstr(written, "<rack n=\"2\"/>"));
	assert_non_null(strstr(written, "<group name=\"x\"/>"));
	volume_free(again);
	again = volume_copy(v);
	volume_free(again);
	volume_free(v);
	free(written);
	free(more);
	free(text);
}

static void test_harmful(void **state)
{
	refused("/b/1", "/b/`touch /tmp/x`", "demo.xml: brick number 1", "backquotes");
	refused("/b/2", "/b/&#10;option x y", "demo.xml:8:", "");
	refused("host=\"h1\"", "host=\"h1&#10;x\"", "demo.xml: brick number 1", "");
	refused(">off<", ">off\n/etc *(rw)<", "demo.xml: option nfs.disable", "control characters");
	refused("<?xml version=\"1.0\"?>", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE volume SYSTEM \"file:///etc/passwd\">",
		"demo.xml:2:",
		"document type");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read), cmocka_unit_test(test_preserves), cmocka_unit_test(test_new), cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_truncated), cmocka_unit_test(test_host), cmocka_unit_test(test_too_much), cmocka_unit_test(test_blanks),
		cmocka_unit_test(test_harmful), cmocka_unit_test(test_newer_among_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
