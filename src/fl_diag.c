/* SPDX-License-Identifier: Apache-2.0 */
#include "fl_diag.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What helps against an error, whatever it was that met it. A sentence that says already what to do has a semicolon. */
static const char *remedy(int error, const char *text)
{
	if (strchr(text, ';'))
		return "";
	switch (error) {
	case -EMFILE:
		return "; raise the limit of open files (ulimit -n)";
	case -ENFILE:
		return "; raise the host's limit of open files (sysctl fs.file-max)";
	default:
		return "";
	}
}

int fl_diag(struct fl_diag *diag, int error, const char *format, ...)
{
	if (diag) {
		va_list args;

		diag->error = error;
		va_start(args, format);
		vsnprintf(diag->text, sizeof(diag->text), format, args);
		va_end(args);
		strncat(diag->text, remedy(error, diag->text), sizeof(diag->text) - strlen(diag->text) - 1);
	}
	return error;
}
