/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FL_CLI_LIFE_H
#define FL_CLI_LIFE_H

/*
 * "faultline ps", status, faults, console, inspect, pause, resume and stop: argv[0] is the verb. Returns the exit
 * status.
 */
int fl_cli_life_main(int argc, char **argv);

#endif
