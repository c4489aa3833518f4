/* mgmt/volfile_options.c: from the table of options to the lines of a section. */
#include "mgmt/volfile_options.h"

#include <string.h>

#include "mgmt/volfile_text.h"

static bool in_list(const char *const *list, const char *key)
{
	for (; list && *list; list++)
		if (strcmp(*list, key) == 0)
			return true;
	return false;
}

void put_options_but(FILE *f, const struct volume *v, unsigned places, const char *type, bool stock, const char *const *but)
{
	const struct volume_option_row *row;
	const char *value;
	char buf[32];

	for (row = volume_option_rows; row->name; row++) {
		if (!(places & PLACE(row->place)) || !row->key || strcmp(row->type, type) != 0 || in_list(but, row->key))
			continue;
		value = row->always ? volume_option_effective(v, row->name) : volume_option(v, row->name);
		if (value && stock)
			value = volume_option_plain(row, value, buf, sizeof(buf));
		put_option(f, row->key, value);
	}
}

void put_options(FILE *f, const struct volume *v, unsigned places, const char *type, bool stock)
{
	put_options_but(f, v, places, type, stock, NULL);
}

/* What the volume says, or this host, or where `tls init` puts it. Always named: each distribution's GlusterFS looks somewhere else. */
static const char *file_of(const struct volume *v, const char *option, const char *own, const char *usual)
{
	const char *set = volume_option(v, option);

	return set ? set : own ? own : usual;
}

void put_tls(FILE *f, const struct volume *v, const char *which, const struct volfiles_tls *tls)
{
	if (!volume_option_on(v, which))
		return;
	put_option(f, "transport.socket.ssl-enabled", "on");
	put_option(f, "transport.socket.ssl-own-cert", file_of(v, "ssl.own-cert", tls ? tls->certificate : NULL, "/etc/ssl/glusterfs.pem"));
	put_option(f, "transport.socket.ssl-private-key",
		   file_of(v, "ssl.private-key", tls ? tls->key : NULL, "/etc/ssl/glusterfs.key"));
	put_option(f, "transport.socket.ssl-ca-list", file_of(v, "ssl.ca-list", tls ? tls->ca : NULL, "/etc/ssl/glusterfs.ca"));
	put_option(f, "transport.socket.ssl-cert-depth", volume_option(v, "ssl.certificate-depth"));
	put_option(f, "transport.socket.ssl-cipher-list", volume_option(v, "ssl.cipher-list"));
}
