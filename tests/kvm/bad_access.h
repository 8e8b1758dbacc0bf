/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bad_access: one access of a mini guest to a host file that fails, what must be said of it, and what comes after. A
 * program that uses it is linked with --wrap=madvise,--wrap=ioctl: the host can heal between the failure and the
 * probe, and a bare -EFAULT of KVM_RUN can be given the other shapes that kernels have for it.
 */
#ifndef FL_BAD_ACCESS_H
#define FL_BAD_ACCESS_H

#include "tests/kvm/bad_host.h"
#include "tests/kvm/mini_vm.h"

#define BAD_PAGE   UINT64_C(0x5000)
#define BAD_OFFSET UINT64_C(0x5123)

struct access {
	enum fl_access access;
	enum fl_cause cause;
	uint64_t offset; /* of the file, and of the window */
	uint64_t file_len;
	bool read_only;					/* mapped so */
	bool hole;					/* the file has zeroes there, not the pattern */
	void (*prepare)(struct mini_vm *vm, void *arg); /* after the file has been mapped; may be NULL */
	void (*heal)(void *arg);
	void *arg;
	unsigned int cpl;
};

enum exit_shape {
	SHAPE_AS_IT_IS,
	SHAPE_BARE_EHWPOISON,	   /* KVM_RUN(2): the page was poisoned */
	SHAPE_ANNOTATED,	   /* -EFAULT with KVM_EXIT_MEMORY_FAULT (Documentation/virt/kvm/api.rst) */
	SHAPE_ANNOTATED_EHWPOISON, /* the same with -EHWPOISON */
	SHAPE_COUNT,
	SHAPE_NEVER_RUNS = SHAPE_COUNT /* KVM_RUN fails with -EFAULT whatever is done */
};
/* From now on; gpa: of the failing page, for the annotation. */
void bad_access_shape(enum exit_shape shape, uint64_t gpa);

/* Once, when the host next looks at a page (fl_probe_page()), on its thread; NULL: not any more. */
void bad_access_before_probe(void (*fn)(void *arg), void *arg);

/* Each time that KVM_RUN has failed, on its thread, before anybody looks why; NULL: not any more. */
void bad_access_after_failure(void (*fn)(void *arg), void *arg);

/* The window's first range maps fd. */
void bad_access_map(struct mini_vm *vm, int fd, bool writable);

/* The access fails with the cause, the host heals while the guest's handler waits, and it goes through. */
void fails_then_heals(int fd, const struct access *a);
/* The host heals after the access has failed and before it is looked at: the guest sees nothing at all. */
void heals_before_the_probe(int fd, const struct access *a);
/* Something happens there (a->before) that gives the failure the cause it has. */
void fails_otherwise(int fd, const struct access *a, void (*before)(void *arg));
/* There is no healing: the guest's handler goes on behind the instruction. */
void fails_for_good(int fd, const struct access *a);
/* There is nothing wrong with it. */
void goes_through(int fd, const struct access *a);

#endif
