/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/kvm_vm.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vcpu/guest_cpuid.h"
#include "vcpu/kvm_extra.h"
#include "vcpu/pvpf_abi.h"

/* Three pages and one page below 4 GiB that no RAM and no device uses; VMX needs them for real mode. */
#define TSS_GPA		 UINT64_C(0xfffbd000)
#define IDENTITY_MAP_GPA UINT64_C(0xfffbc000)

static int open_kvm(struct fl_diag *diag)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int version;

	if (fd < 0) {
		int error = -errno;

		if (error == -ENOENT || error == -ENODEV || error == -ENXIO)
			return fl_diag(diag, error,
				       "/dev/kvm does not exist or answers to no driver: load kvm_intel or kvm_amd, or "
				       "enable (nested) virtualization");
		if (error == -EACCES || error == -EPERM)
			return fl_diag(diag, error, "no permission for /dev/kvm: join the group that owns it (kvm)");
		return fl_diag(diag, error, "cannot open /dev/kvm: %s", strerror(-error));
	}
	version = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (version < 0) {
		close(fd);
		return fl_diag(diag, -ENODEV,
			       "/dev/kvm is not KVM's device; load the kvm module of this machine's CPU");
	}
	if (version != KVM_API_VERSION) {
		close(fd);
		return fl_diag(diag, -ENOTSUP, "/dev/kvm speaks API version %d, this program needs %d", version,
			       KVM_API_VERSION);
	}
	return fd;
}

static bool has_extension(const struct fl_kvm_vm *kvm, int cap)
{
	return ioctl(kvm->vm_fd, KVM_CHECK_EXTENSION, cap) > 0;
}

static int require_extensions(const struct fl_kvm_vm *kvm, struct fl_diag *diag)
{
	static const struct {
		int cap;
		const char *name;
	} needed[] = {
		{KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP"},
		{KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
		{KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
		{KVM_CAP_VCPU_EVENTS, "KVM_CAP_VCPU_EVENTS"},
		{KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID"},
		{KVM_CAP_X86_USER_SPACE_MSR, "KVM_CAP_X86_USER_SPACE_MSR"},
		{KVM_CAP_X86_MSR_FILTER, "KVM_CAP_X86_MSR_FILTER"},
	};

	for (size_t i = 0; i < FL_ARRAY_SIZE(needed); i++)
		if (!has_extension(kvm, needed[i].cap))
			return fl_diag(diag, -ENOTSUP, "this kernel's KVM lacks %s: Linux 5.10 or newer is needed",
				       needed[i].name);
	return 0;
}

static int enable_cap(const struct fl_kvm_vm *kvm, uint32_t cap, uint64_t arg)
{
	struct kvm_enable_cap enable = {.cap = cap, .args = {arg}};

	return ioctl(kvm->vm_fd, KVM_ENABLE_CAP, &enable) < 0 ? -errno : 0;
}

bool fl_kvm_can_be_strict(int kvm_fd)
{
	int allowed = ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_X86_DISABLE_EXITS);

	return allowed > 0 && ((unsigned int)allowed & KVM_X86_DISABLE_EXITS_HLT);
}

/*
 * With HLT intercepted KVM believes it may do async page faults and swallows the failure of a lookup
 * (hva_to_pfn(), kvm_can_do_async_pf()): the vCPU livelocks. The mask of KVM_CHECK_EXTENSION is what
 * counts: the ioctl ignores bits that the host does not have. Must precede the first vCPU.
 */
static void go_strict(struct fl_kvm_vm *kvm)
{
	kvm->strict = fl_kvm_can_be_strict(kvm->vm_fd) &&
		      enable_cap(kvm, KVM_CAP_X86_DISABLE_EXITS, KVM_X86_DISABLE_EXITS_HLT) == 0;
}

static int filter_msrs(const struct fl_kvm_vm *kvm, struct fl_diag *diag)
{
	uint8_t deny_all = 0;
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
		.ranges[0] =
			{
				.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
				.base = PVPF_HOST_MSR_BASE,
				.nmsrs = PVPF_MSR_SUBSTITUTE + 1,
				.bitmap = &deny_all,
			},
	};
	int result = enable_cap(kvm, KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_FILTER);

	if (result == 0 && ioctl(kvm->vm_fd, KVM_X86_SET_MSR_FILTER, &filter) < 0)
		result = -errno;
	if (result)
		return fl_diag(diag, result, "KVM does not hand MSRs to this program: %s", strerror(-result));
	return 0;
}

int fl_kvm_vm_add_irqchip(const struct fl_kvm_vm *kvm, struct fl_diag *diag)
{
	uint64_t identity_map = IDENTITY_MAP_GPA;

	if (ioctl(kvm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0)
		return fl_diag(diag, -errno, "KVM_SET_IDENTITY_MAP_ADDR: %s", strerror(errno));
	if (ioctl(kvm->vm_fd, KVM_SET_TSS_ADDR, TSS_GPA) < 0)
		return fl_diag(diag, -errno, "KVM_SET_TSS_ADDR: %s", strerror(errno));
	if (ioctl(kvm->vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return fl_diag(diag, -errno, "KVM_CREATE_IRQCHIP: %s", strerror(errno));
	return 0;
}

static int make_vm(struct fl_kvm_vm *kvm, bool want_strict, struct fl_diag *diag)
{
	do {
		kvm->vm_fd = ioctl(kvm->kvm_fd, KVM_CREATE_VM, 0);
	} while (kvm->vm_fd < 0 && errno == EINTR);
	if (kvm->vm_fd < 0)
		return fl_diag(diag, -errno, "KVM_CREATE_VM: %s", strerror(errno));
	int result = require_extensions(kvm, diag);

	if (!result && want_strict)
		go_strict(kvm);
	return result;
}

static int set_up(struct fl_kvm_vm *kvm, bool want_strict, struct fl_diag *diag)
{
	int len = ioctl(kvm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	int result;

	if (len < (int)FL_PAGE_LEN)
		return fl_diag(diag, -ENODEV, "KVM_GET_VCPU_MMAP_SIZE gives %d", len);
	kvm->vcpu_mmap_len = (uint32_t)len;
	result = make_vm(kvm, want_strict, diag);
	if (result)
		return result;
	kvm->can_annotate = has_extension(kvm, FL_KVM_CAP_MEMORY_FAULT_INFO);
	result = fl_cpuid_supported(kvm->kvm_fd, &kvm->cpuid, diag);
	if (result)
		return result;
	kvm->phys_bits = fl_cpuid_phys_bits(kvm->cpuid);
	return filter_msrs(kvm, diag);
}

int fl_kvm_vm_try(bool *strict, struct fl_diag *diag)
{
	struct fl_kvm_vm kvm = {.kvm_fd = open_kvm(diag), .vm_fd = -1};
	int result = kvm.kvm_fd < 0 ? kvm.kvm_fd : make_vm(&kvm, true, diag);

	*strict = kvm.strict;
	if (kvm.kvm_fd >= 0)
		fl_kvm_vm_fini(&kvm);
	return result;
}

int fl_kvm_vm_init(struct fl_kvm_vm *kvm, bool want_strict, struct fl_diag *diag)
{
	int result;

	*kvm = (struct fl_kvm_vm){.kvm_fd = -1, .vm_fd = -1};
	result = open_kvm(diag);
	if (result < 0)
		return result;
	kvm->kvm_fd = result;
	result = set_up(kvm, want_strict, diag);
	if (result)
		fl_kvm_vm_fini(kvm);
	return result;
}

void fl_kvm_vm_fini(struct fl_kvm_vm *kvm)
{
	fl_close(&kvm->vm_fd);
	fl_close(&kvm->kvm_fd);
	free(kvm->cpuid);
	kvm->cpuid = NULL;
}
