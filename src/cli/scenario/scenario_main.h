/* SPDX-License-Identifier: Apache-2.0 */
/* "faultline scenario". */
#ifndef FL_SCN_MAIN_H
#define FL_SCN_MAIN_H

/* argv[0] is "scenario". Returns the exit status. */
int fl_scn_main(int argc, char **argv);

#endif
