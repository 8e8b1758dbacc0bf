/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manual pages in mdoc(7): templates written by hand (docs/man), into which goes what the table of verbs knows. Nothing
 * here is part of the launcher. A line of a template that begins with "@" is an order:
 *
 *	@verbs			all verbs, and which page has more about each
 *	@options VERB NAME...	these options of the verb; without a NAME, those that the page does not have yet
 *	@exits VERB		what its exit status means
 *	@settings		what faultline.conf may say
 *	@steps WHO NAME...	these steps of scenarios, of both, a guest or the host; without a NAME as @options
 *	@vm-names		the verbs that share a page: all that have neither their own nor none
 *	@vm-synopsis		how they are called
 *	@vm-sections		all about each
 *	@vm-exits		the exit status that most of them have; of the others their sections have it
 *
 * "@VERSION@" anywhere is the version.
 */
#ifndef FL_CLI_MANUAL_H
#define FL_CLI_MANUAL_H

#include <stdio.h>

#include "cli/verbs.h"

/*
 * Writes the page to out. -EINVAL with a sentence that names the line: the template names a verb or an option that is
 * not in the table, an option twice, or not all options of a verb of which it has some; likewise steps.
 */
FL_CHECKED int fl_cli_write_manual(const char *template, FILE *out, struct fl_diag *diag);

/* Whether the page that several verbs share is this verb's. */
bool fl_cli_shares_page(const struct fl_cli_verb *verb);

#endif
