/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/diag.h"

#include <stdio.h>

int fl_cli_diag(struct fl_diag *diag, int error, const char *format, ...)
{
	va_list args;

	diag->error = error;
	va_start(args, format);
	vsnprintf(diag->text, sizeof(diag->text), format, args);
	va_end(args);
	return error;
}
