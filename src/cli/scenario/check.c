/* SPDX-License-Identifier: Apache-2.0 */
/* What can be said of a case only when all of it was read: files, steps. */
#include <inttypes.h>
#include <string.h>

#include "cli/scenario/build.h"

#define PAGE_LEN UINT64_C(4096)

/* ---- files ---------------------------------------------------------------------------------- */

static const struct fl_scn_file *find_file(const struct fl_scn_build *build, uint32_t dir, const char *path, size_t len)
{
	for (uint32_t i = 0; i < build->made->files_count; i++) {
		const struct fl_scn_file *file = &build->files[i];

		if (file->dir == dir && strlen(file->path) == len && memcmp(file->path, path, len) == 0)
			return file;
	}
	return NULL;
}

static bool check_parent(struct fl_scn_build *build, const struct fl_scn_file *file)
{
	const char *slash = strrchr(file->path, '/');
	const struct fl_scn_file *parent =
		slash ? find_file(build, file->dir, file->path, (size_t)(slash - file->path)) : NULL;

	if (!slash || (parent && parent->content == FL_SCN_FILE_DIR))
		return true;
	return fl_scn_wrong(build->reader, file->pos,
			    "The directory of %s/%s is missing: put a line \"subdir %s/%.*s\" before this one.",
			    build->dirs[file->dir].name, file->path, build->dirs[file->dir].name,
			    (int)(slash - file->path), file->path);
}

/* What the files take of a tmpfs: holes take nothing. */
static bool check_space(struct fl_scn_build *build, uint32_t dir)
{
	uint64_t need = 0;

	for (uint32_t i = 0; i < build->made->files_count; i++)
		if (build->files[i].dir == dir && build->files[i].content != FL_SCN_FILE_ZEROS)
			need += (build->files[i].len + PAGE_LEN - 1) / PAGE_LEN * PAGE_LEN;
	if (build->dirs[dir].kind != FL_SCN_DIR_TMPFS || need <= build->dirs[dir].len)
		return true;
	return fl_scn_wrong(build->reader, build->dirs[dir].pos,
			    "The tmpfs is too small: the files in it take %" PRIu64
			    "K, so make it that large at least.",
			    need / 1024);
}

bool fl_scn_check_files(struct fl_scn_build *build)
{
	bool good = true;

	for (uint32_t i = 0; i < build->made->files_count; i++)
		good &= check_parent(build, &build->files[i]);
	for (uint32_t i = 0; i < build->made->dirs_count; i++)
		good &= check_space(build, i);
	return good;
}

/* ---- steps ---------------------------------------------------------------------------------- */

/* How many have to come to it is known only now. */
void fl_scn_count_parties(struct fl_scn_build *build)
{
	for (uint32_t i = 0; i < build->made->actors_count; i++)
		for (uint32_t j = 0; j < build->actors[i].steps_count; j++)
			if (build->steps[i][j].row->op == FL_SCN_OP_BARRIER)
				build->steps[i][j].operands[1].n =
					build->uses[build->steps[i][j].operands[0].n].parties;
}
