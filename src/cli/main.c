/* SPDX-License-Identifier: Apache-2.0 */
/* faultline: the launcher. A client of the library's public header, like any other program. */
#include "cli/dispatch.h"

int main(int argc, char **argv)
{
	return fl_cli_main(argc, argv);
}
