/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the agent's configuration (agent_conf.h) apart. Pure but for fl_conf_read(). */
#ifndef FL_CONF_PARSE_H
#define FL_CONF_PARSE_H

#include <time.h>

#include "fl_diag.h"

struct fl_conf_mount {
	const char *tag;
	const char *path;
	const char *options;
	const char *upper; /* NULL: no overlay; "": its changes stay in memory; else the share that they go to */
};

struct fl_conf_address {
	const char *address; /* with "/" and the length of the prefix */
	const char *gateway; /* "" for none */
};

#define FL_CONF_ADDRESSES_MAX 2

struct fl_conf {
	char *text; /* what all strings below point into */
	size_t text_len;
	struct fl_conf_mount *mounts; /* the first one is at "/" */
	size_t mount_count;
	char **argv; /* NULL-terminated, at least one */
	size_t argc;
	char **envp; /* NULL-terminated */
	size_t envc;
	struct fl_conf_address addresses[FL_CONF_ADDRESSES_MAX];
	size_t address_count;
	const char *resolv_conf; /* NULL if there is no R record */
	const char *cwd;      /* "/" if there is no C record */
	const char *hostname; /* NULL if there is no H record */
	const char *user;     /* NULL if there is no U record: root */
	bool has_terminal;    /* there is a P record: */
	unsigned short rows, cols;
	struct timespec wall_clock;
	bool has_wall_clock;
};

/* Takes over text (malloc'ed), also on failure. -EINVAL or -ENOMEM; *conf is complete or empty. */
FL_CHECKED_RESULT int fl_conf_parse(char *text, size_t text_len, struct fl_conf *conf, struct fl_diag *diag);
FL_CHECKED_RESULT int fl_conf_read(const char *path, struct fl_conf *conf, struct fl_diag *diag);
void fl_conf_fini(struct fl_conf *conf);

#endif
