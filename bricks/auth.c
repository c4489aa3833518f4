/* bricks/auth.c: who may use the brick: by address, by login and by certificate, as a stock brick decides (facts/brick-wire.md
 * sections 1 and 6).
 *
 * Each module has a vote: any "no" refuses, and one "yes" at least is needed. */
#include <arpa/inet.h>
#include <errno.h>
#include <fnmatch.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bricks/internal.h"

enum vote { NO_OPINION, ACCEPT, REJECT };

static const char *option(const struct brick_server *bs, const char *before, const char *name, const char *after)
{
	char key[1024];

	if (!bs->auth_option || snprintf(key, sizeof(key), "%s%s%s", before, name, after) >= (int)sizeof(key))
		return NULL;
	return bs->auth_option(bs->auth_arg, key);
}

/* The peer as 16 bytes and as text, IPv4 as such. */
struct peer { uint8_t bytes[16]; unsigned len; char text[INET6_ADDRSTRLEN]; };

static void peer_of(const struct sockaddr *addr, struct peer *p)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)addr;
	const uint8_t *bytes = six->sin6_addr.s6_addr;

	memset(p, 0, sizeof(*p));
	p->len = 16;
	if (addr->sa_family == AF_INET) {
		bytes = (const uint8_t *)&((const struct sockaddr_in *)addr)->sin_addr;
		p->len = 4;
	} else if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
		bytes += 12;
		p->len = 4;
	}
	memcpy(p->bytes, bytes, p->len);
	inet_ntop(p->len == 4 ? AF_INET : AF_INET6, p->bytes, p->text, sizeof(p->text));
}

static bool in_network(const struct peer *p, const char *network, unsigned prefix)
{
	uint8_t bytes[16] = { 0 };
	unsigned i, bits;

	if (inet_pton(p->len == 4 ? AF_INET : AF_INET6, network, bytes) != 1 || prefix > p->len * 8)
		return false;
	for (i = 0; prefix; i++, prefix -= bits) {
		bits = prefix > 8 ? 8 : prefix;
		if ((bytes[i] ^ p->bytes[i]) >> (8 - bits))
			return false;
	}
	return true;
}

static bool matches(const struct peer *p, char *word)
{
	char *slash = strchr(word, '/'), *end;
	unsigned long prefix;

	if (*word == '/')
		return false;		/* an entry for a subdirectory: none is exported here */
	if (!slash)
		return fnmatch(word, p->text, 0) == 0;
	*slash = 0;
	prefix = strtoul(slash + 1, &end, 10);
	return !*end && in_network(p, word, (unsigned)prefix);
}

static bool in_list(const struct peer *p, const char *list)
{
	char word[256];
	size_t len;

	for (; list && *list; list += len) {
		list += strspn(list, ", ");
		len = strcspn(list, ", ");
		if (!len || len >= sizeof(word))
			continue;
		memcpy(word, list, len);
		word[len] = 0;
		if (matches(p, word))
			return true;
	}
	return false;
}

static enum vote vote_address(const struct brick_server *bs, const struct peer *p)
{
	const char *allow = option(bs, "auth.addr.", bs->name, ".allow");

	if (in_list(p, option(bs, "auth.addr.", bs->name, ".reject")))
		return REJECT;
	return in_list(p, allow ? allow : "*") ? ACCEPT : NO_OPINION;
}

static bool listed(const char *list, const char *user)
{
	size_t len = strlen(user);
	const char *at = list;

	while (len && at && (at = strstr(at, user))) {
		if ((at == list || at[-1] == ',' || at[-1] == ' ') && (!at[len] || at[len] == ',' || at[len] == ' '))
			return true;
		at += len;
	}
	return false;
}

/* Takes the same time wherever the first difference lies. */
static bool same_secret(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), i;
	unsigned diff = la != lb;

	for (i = 0; i < lb; i++)
		diff |= (unsigned char)a[la ? i % la : 0] ^ (unsigned char)b[i];
	return !diff;
}

static enum vote vote_login(const struct brick_server *bs, const char *username, const char *password)
{
	const char *secret;

	if (!username || !listed(option(bs, "auth.login.", bs->name, ".allow"), username))
		return NO_OPINION;
	secret = option(bs, "auth.login.", username, ".password");
	return secret && password && same_secret(secret, password) ? ACCEPT : REJECT;
}

/* Patterns with commas between, as in a stock brick; a name may have blanks inside. */
static bool names(const char *list, const char *name)
{
	char word[256];
	size_t len;

	for (; *list; list += len + (list[len] == ',')) {
		list += strspn(list, " ");
		len = strcspn(list, ",");
		if (!len || len >= sizeof(word))
			continue;
		memcpy(word, list, len);
		word[len] = 0;
		if (fnmatch(word, name, 0) == 0)
			return true;
	}
	return false;
}

/* A list names who may come in, so who is not on it may not. Without a list any certificate of our CAs is as good as another. */
static enum vote vote_certificate(const struct brick_server *bs, const char *name)
{
	const char *list = name ? option(bs, "auth.login.", bs->name, ".ssl-allow") : NULL;

	if (!list)
		return NO_OPINION;
	return names(list, name) ? ACCEPT : REJECT;
}

int auth_check(const struct brick_server *bs, const struct auth_claim *claim, bool *ret_trusted, const char **ret_rule)
{
	enum vote address, login, certificate;
	struct peer p;

	peer_of(claim->peer, &p);
	address = vote_address(bs, &p);
	login = vote_login(bs, claim->username, claim->password);
	certificate = vote_certificate(bs, claim->certificate);
	*ret_trusted = login == ACCEPT;
	if (certificate == REJECT)
		*ret_rule = "ssl-allow does not list its certificate's name";
	else if (login == REJECT)
		*ret_rule = "auth.login: wrong password";
	else if (address == REJECT || (address != ACCEPT && login != ACCEPT && certificate != ACCEPT))
		*ret_rule = "it does not log in, and auth.allow does not list its address: gatehouse volume set VOLUME auth.allow ADDRESS";
	else
		return 0;
	return -EACCES;
}
