/* SPDX-License-Identifier: Apache-2.0 */
/* What a step's signature says of its operands. PURE. */
#ifndef FL_SCN_OPERAND_H
#define FL_SCN_OPERAND_H

#include "cli/scenario/language/build.h"

/* Those of the step, whose row is known; line stands behind its name. Marks and barriers learn of it. */
bool fl_scn_read_operands(struct fl_scn_build *build, uint32_t actor, uint32_t index, struct fl_scn_tokens *line);

#endif
