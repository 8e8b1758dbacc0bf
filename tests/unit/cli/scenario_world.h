/* SPDX-License-Identifier: Apache-2.0 */
/* A case whose dirs are file systems of their own, in a mount namespace of the test's own. Needs root. */
#ifndef FL_SCENARIO_WORLD_H
#define FL_SCENARIO_WORLD_H

#include "tests/lib/fl_test.h"

#include <stdbool.h>

#include "cli/scenario/host/host_files.h"

#define SCN_WORLD_NUMBER   7u /* of the case */
#define SCN_WORLD_FILE_LEN (16 * 4096u)
#define SCN_WORLD_SOON_NS  UINT64_C(10000000000) /* what must end ends by then */
#define SCN_WORLD_QUIET_MS 200			 /* what must not happen has not happened for so long */

enum { SCN_WORLD_FAILING, SCN_WORLD_SMALL, SCN_WORLD_DIRS };

/* The dir that is failing has the files "log" and "other", of the pattern; the other dir is a tmpfs of 1 MiB. */
struct scn_world {
	char parent[32];
	struct fl_scn_dir dirs[SCN_WORLD_DIRS];
	struct fl_scn_file files[2];
	struct fl_scn_case scenario_case;
	struct fl_scn_workdir *workdir; /* NULL: nothing can be mounted here; or the test has freed it */
};

int scn_world_setup(void **state);
int scn_world_teardown(void **state);
/* Skips the test where there is none. */
struct scn_world *scn_world_of(void **state);

uint64_t scn_world_now_ns(void);
/* As guest/scenario_wire.h has it. */
uint8_t scn_world_pattern_byte(uint64_t offset);

const char *scn_world_path_of(struct scn_world *world, uint32_t dir, const char *rest, char path[PATH_MAX]);
/* Files of the dir that is failing. */
int scn_world_open_in(struct scn_world *world, const char *rest, int flags);
uint8_t *scn_world_map_file(struct scn_world *world, const char *rest);

/* Of a step of the host: 0 or -errno. */
int scn_world_do_step(struct scn_world *world, uint32_t op, uint32_t dir, const char *path, uint64_t second);
int scn_world_fail_reads(struct scn_world *world, const char *path);
int scn_world_heal(struct scn_world *world, const char *path);

#endif
