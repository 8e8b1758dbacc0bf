/* SPDX-License-Identifier: Apache-2.0 */
/* usage: write_samples tap|junit|json|html EVENTS: results made by hand, written to standard output. For the checks in
 * Python. */
#include <stdlib.h>
#include <string.h>

#include "samples.h"

static int write_tap(FILE *out, const struct fl_scn_results *results)
{
	fl_scn_tap_begin(out, results->count);
	for (size_t i = 0; i < results->count; i++)
		fl_scn_tap_result(out, i + 1, results->all[i]);
	return ferror(out) ? -1 : 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*write)(FILE *out, const struct fl_scn_results *results);
	} writers[] = {{"tap", write_tap},
		       {"junit", fl_scn_write_junit},
		       {"json", fl_scn_write_json},
		       {"html", fl_scn_write_html}};
	struct fl_scn_results results;
	int ret = -1;

	if (argc != 3)
		return 2;
	fl_scn_samples(&results, strtoul(argv[2], NULL, 10));
	for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++)
		if (strcmp(argv[1], writers[i].name) == 0)
			ret = writers[i].write(stdout, &results);
	fl_scn_samples_free(&results);
	return ret < 0 ? 1 : 0;
}
