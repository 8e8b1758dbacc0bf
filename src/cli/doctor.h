/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FL_CLI_DOCTOR_H
#define FL_CLI_DOCTOR_H

/* "faultline doctor": says what this host can do. argv[0] is the verb. Returns the exit status. */
int fl_cli_doctor_main(int argc, char **argv);

#endif
