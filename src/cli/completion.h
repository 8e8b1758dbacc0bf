/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completions of shells: scripts written by hand (docs/completions), into which go tables of what can be said. Nothing
 * here is part of the launcher. The line "@tables" of a template is replaced.
 *
 * For bash: _faultline_verbs, the words; _faultline_options VERB and _faultline_value VERB:OPTION, which say in the
 * caller's variables what may come. For zsh: _faultline_verbs completes a
 * verb, _faultline_VERB what comes behind it.
 */
#ifndef FL_CLI_COMPLETION_H
#define FL_CLI_COMPLETION_H

#include <stdio.h>

#include "cli/verbs.h"

enum fl_cli_shell { FL_CLI_BASH, FL_CLI_ZSH };

/* -EINVAL with a sentence: the template has no line "@tables", or two. */
FL_CHECKED int fl_cli_write_completion(enum fl_cli_shell shell, const char *template, FILE *out, struct fl_diag *diag);

#endif
