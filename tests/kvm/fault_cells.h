/* SPDX-License-Identifier: Apache-2.0 */
/* fault_cells: the table of fault_cells.def as data, and as text. */
#ifndef FL_FAULT_CELLS_H
#define FL_FAULT_CELLS_H

#include <faultline/faultline.h>
#include <stdbool.h>
#include <stddef.h>

enum cell_shape {
	CELL_EFAULT,
	CELL_ANNOTATED,
	CELL_MMIO,
	CELL_EMULATION,
	CELL_MCEERR,
	CELL_STALL,
	CELL_REQUEST,
	CELL_SHAPES
};

enum cell_trouble {
	TROUBLE_TRUNCATED,
	TROUBLE_NO_SPACE,
	TROUBLE_IO_ERROR,
	TROUBLE_MEMORY_FAILURE,
	TROUBLE_UNMAPPED,
	TROUBLE_NOT_PERMITTED,
	TROUBLE_REVOKED, /* the file's server is gone for good: reported as an I/O error */
	CELL_TROUBLES
};

enum cell_mode { CELL_STRICT, CELL_WATCH, CELL_MODES };

enum cell_host {
	HOST_SOFTWARE, /* KVM without hardware virtualisation: it emulates CPL 0 */
	HOST_STOCK,    /* VMX or SVM and an unchanged kernel */
	HOST_PATCHED,  /* the same with host-kernel-patches/ */
	CELL_HOSTS
};

#define CELL_REFUSED ((enum fl_outcome)100) /* a request that gets #GP and makes no report */

struct fault_exit {
	enum cell_shape shape;
	enum cell_trouble trouble;
	const char *way[CELL_MODES][CELL_HOSTS];
	const char *why;
};

struct fault_policy {
	const char *name;
	struct fl_policy policy;
	enum fl_action answer;
	bool has_pvpf;
	enum fl_outcome lost, unmapped, not_permitted, request, request_other;
};

extern const struct fault_exit fault_exits[];
extern const size_t fault_exit_count;
extern const struct fault_policy fault_policies[];
extern const size_t fault_policy_count;

const char *cell_shape_name(enum cell_shape shape);
const char *cell_trouble_name(enum cell_trouble trouble);
const char *cell_mode_name(enum cell_mode mode);
const char *cell_host_name(enum cell_host host);
enum fl_cause cell_cause(enum cell_trouble trouble);
enum fl_outcome cell_outcome(const struct fault_exit *exit, const struct fault_policy *policy);
/* On some kind of host. */
bool cell_can_occur(const struct fault_exit *exit, enum cell_mode mode);

/* docs/faults.md, between its marks. */
void cells_print_table(void);
/* "HOST MODE SHAPE CAUSE POLICY" for every cell that can occur. */
void cells_print_list(void);

#endif
