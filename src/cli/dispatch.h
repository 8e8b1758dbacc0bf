/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FL_CLI_DISPATCH_H
#define FL_CLI_DISPATCH_H

/* The whole launcher: does what argv[1] says and returns the exit status. */
int fl_cli_main(int argc, char **argv);

#endif
