/* SPDX-License-Identifier: Apache-2.0 */
/* How locating asks a real vCPU and its memory. */
#include <string.h>
#include <sys/ioctl.h>

#include "mmu_backing/gmem.h"
#include "vcpu/fault_case.h"
#include "vcpu/page_walk.h"

/* XSAVE, standard format: SDM vol. 1, 13.4; components 5, 6 and 7 lie where CPUID leaf 0xD says. */
#define XSAVE_XMM	  160u
#define XSAVE_COMP_YMM	  2u
#define XSAVE_COMP_OPMASK 5u
#define XSAVE_COMP_ZMM_HI 6u
#define XSAVE_COMP_ZMM16  7u
#define XSAVE_COMP_TILES  17u /* TILECFG */
#define XSAVE_XSTATE_BV	  512u

static int read_memory(void *arg, uint64_t gpa, void *buf, size_t len)
{
	struct fl_vcpu *vcpu = arg;

	return fl_gmem_read(vcpu->env->map, gpa, buf, len);
}

static bool ask_kvm(const struct fl_vcpu *vcpu, uint64_t linear, uint64_t *gpa)
{
	struct kvm_translation request = {.linear_address = linear};

	if (ioctl(vcpu->fd, KVM_TRANSLATE, &request) < 0 || !request.valid)
		return false;
	*gpa = request.physical_address;
	return true;
}

/* page_walk.h says why KVM is asked only where the guest does not use long-mode paging. */
static bool translate(void *arg, uint64_t linear, uint64_t *gpa)
{
	struct fl_vcpu *vcpu = arg;
	enum fl_page_walk walked = fl_page_walk(read_memory, vcpu, &vcpu->sregs, linear, gpa);

	return walked == FL_PAGE_WALK_NOT_LONG ? ask_kvm(vcpu, linear, gpa) : walked == FL_PAGE_WALK_MAPPED;
}

/* What lies outside all regions is a device: KVM does not fail there, it asks us. */
static bool is_bad(void *arg, uint64_t gpa, enum fl_access access)
{
	struct fl_vcpu *vcpu = arg;
	struct fl_finding finding;
	struct fl_probe probe;

	if (!fl_gpa_map_find(vcpu->env->map, gpa))
		return false;
	fl_probe_page(vcpu->env->map, gpa, access == FL_ACCESS_WRITE, &probe);
	finding = fl_classify(&probe, gpa, access);
	fl_probe_put(&probe);
	return finding.verdict != FL_VERDICT_RETRY;
}

static bool is_window(void *arg, uint64_t gpa)
{
	struct fl_vcpu *vcpu = arg;
	const struct fl_region *region = fl_gpa_map_find(vcpu->env->map, gpa);

	return region && region->kind == FL_REGION_WINDOW;
}

/* count pieces of `len` bytes each, to byte `at` of registers first, first+1, ... */
static void take_component(const struct kvm_xsave *xsave, uint32_t offset, unsigned int count, uint32_t len,
			   struct fl_vectors *vectors, unsigned int first, uint32_t at)
{
	const uint8_t *area = (const uint8_t *)xsave->region;

	if (!offset || !fl_range_fits(offset, (uint64_t)count * len, sizeof(xsave->region)))
		return;
	for (unsigned int i = 0; i < count; i++)
		memcpy(&vectors->zmm[first + i][at], area + offset + (size_t)i * len, len);
}

static void take_state(const struct fl_vcpu *vcpu, const struct kvm_xsave *xsave, struct fl_vectors *vectors)
{
	const uint8_t *area = (const uint8_t *)xsave->region;
	uint32_t tiles = vcpu->xsave.component[XSAVE_COMP_TILES].offset;
	struct kvm_xcrs xcrs;
	uint64_t in_use;

	vectors->xsave = &vcpu->xsave;
	memcpy(&in_use, area + XSAVE_XSTATE_BV, sizeof(in_use));
	vectors->xcr0 = UINT64_MAX;
	if (ioctl(vcpu->fd, KVM_GET_XCRS, &xcrs) == 0 && xcrs.nr_xcrs)
		vectors->xcr0 = xcrs.xcrs[0].value;
	if (tiles && in_use >> XSAVE_COMP_TILES & 1 &&
	    fl_range_fits(tiles, sizeof(vectors->tile_config), sizeof(xsave->region)))
		memcpy(vectors->tile_config, area + tiles, sizeof(vectors->tile_config));
}

static bool read_vectors(void *arg, struct fl_vectors *vectors)
{
	struct fl_vcpu *vcpu = arg;
	struct kvm_xsave xsave;
	uint32_t masks = vcpu->xsave.component[XSAVE_COMP_OPMASK].offset;

	if (ioctl(vcpu->fd, KVM_GET_XSAVE, &xsave) < 0)
		return false;
	memset(vectors, 0, sizeof(*vectors));
	take_component(&xsave, XSAVE_XMM, 16, 16, vectors, 0, 0);
	take_component(&xsave, vcpu->xsave.component[XSAVE_COMP_YMM].offset, 16, 16, vectors, 0, 16);
	take_component(&xsave, vcpu->xsave.component[XSAVE_COMP_ZMM_HI].offset, 16, 32, vectors, 0, 32);
	take_component(&xsave, vcpu->xsave.component[XSAVE_COMP_ZMM16].offset, 16, 64, vectors, 16, 0);
	if (masks && fl_range_fits(masks, sizeof(vectors->k), sizeof(xsave.region)))
		memcpy(vectors->k, (const uint8_t *)xsave.region + masks, sizeof(vectors->k));
	take_state(vcpu, &xsave, vectors);
	return true;
}

struct fl_locate_ops fl_cpu_access(struct fl_vcpu *vcpu)
{
	return (struct fl_locate_ops){
		.translate = translate,
		.read = read_memory,
		.is_bad = is_bad,
		.is_window = is_window,
		.vectors = read_vectors,
		.arg = vcpu,
	};
}
