/* mgmt/cli_xml.h: writes XML, indented as `gluster --xml` has it. Content is escaped; what XML has no way to say becomes a question mark. */
#ifndef MGMT_CLI_XML_H
#define MGMT_CLI_XML_H

#include <stdio.h>

struct xml { FILE *f; unsigned depth; };

void xml_begin(struct xml *x);					/* <?xml ...?> */
void xml_open(struct xml *x, const char *name);
void xml_close(struct xml *x, const char *name);
void xml_leaf(struct xml *x, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void xml_empty(struct xml *x, const char *name);
void xml_text(struct xml *x, const char *text);			/* escaped, for lines that are not made of leaves */

#endif
