/* mgmt/option_checks.h: what a value must be beyond type and range; and the words that lists of clients consist of.
 * For options*.c and exports.c. */
#ifndef MGMT_OPTION_CHECKS_H
#define MGMT_OPTION_CHECKS_H

#include <stddef.h>

#include "runtime/error.h"

#define CLIENT_WORD_SIZE 272

/* One client of nfs.rpc-auth-allow and the like as exports(5) writes it: "all" becomes "*", "192.0.2.*" the network. -EINVAL with a sentence. */
int client_word(const char *name, const char *word, size_t len, char ret_text[CLIENT_WORD_SIZE], struct error *err);

/* nfs.export-dir, directory by directory: "/d1(192.0.2.0/24|host),/d2". */
struct export_dir {
	const char *path, *clients;	/* into the value; not ended by NUL */
	size_t path_len, clients_len;	/* clients_len 0: those of the volume */
};
/* 1: the next one, *at moves on; 0: no more; -EINVAL with a sentence. */
int export_dir_next(const char *name, const char **at, struct export_dir *ret, struct error *err);

int check_address_list(const char *name, const char *value, struct error *err);	/* auth.allow */
int check_client_list(const char *name, const char *value, struct error *err);	/* nfs.rpc-auth-allow */
int check_export_dir(const char *name, const char *value, struct error *err);
int check_exports(const char *name, const char *value, struct error *err);	/* "CLIENTS(OPTIONS) ..." */
int check_least(const char *name, const char *value, struct error *err);	/* "10%", "5GB" */
int check_regex(const char *name, const char *value, struct error *err);
int check_path(const char *name, const char *value, struct error *err);
int check_on(const char *name, const char *value, struct error *err);		/* it cannot be switched off */
int check_client_translator(const char *name, const char *value, struct error *err);	/* "demo-client-0" */

/* Why an option of GlusterFS cannot be set here; NULL when nothing is known of it. */
const char *volume_option_refused(const char *name);

#endif
