/* SPDX-License-Identifier: Apache-2.0 */
/* What the small kernel (guest/small/) is told on its command line, where Linux has the agent's configuration. */
#include "cli/scenario/guests/guests_impl.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/diag.h"

/* A blank would end the word; what is no letter is written %xx. */
static void put_path(FILE *out, const char *path)
{
	for (; *path; path++)
		if (isalnum((unsigned char)*path) || strchr("/._-", *path))
			fputc(*path, out);
		else
			fprintf(out, "%%%02x", (unsigned int)(unsigned char)*path);
}

int fl_scn_small_params(const struct fl_scn_guests *guests, char **params, struct fl_diag *diag)
{
	const struct fl_scn_machine *machine = guests->opts.machine;
	size_t len;
	FILE *out = open_memstream(params, &len);

	if (!out)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	fprintf(out,
		"fl.page=" FL_SCN_PAGE_MOUNT "/" FL_SCN_PAGE_NAME " fl.share=" FL_SCN_PAGE_TAG ":" FL_SCN_PAGE_MOUNT);
	for (uint32_t i = 0; i < machine->shares_count; i++) {
		fprintf(out, " fl.share=" FL_SCN_SHARE_TAG ":", i);
		put_path(out, machine->shares[i].mount);
	}
	return fclose(out) == 0 ? 0 : fl_cli_diag(diag, -ENOMEM, "Out of memory.");
}
