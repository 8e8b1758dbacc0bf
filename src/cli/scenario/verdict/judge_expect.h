/* SPDX-License-Identifier: Apache-2.0 */
/* The part of judging (judge.h) that is about the block `expect`. */
#ifndef FL_SCN_JUDGE_EXPECT_H
#define FL_SCN_JUDGE_EXPECT_H

#include "cli/scenario/verdict/judge.h"

FL_CHECKED int fl_scn_judge_expectations(const struct fl_scn_evidence *evidence, struct fl_scn_result *result);

#endif
