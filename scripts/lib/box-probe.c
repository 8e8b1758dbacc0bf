/* SPDX-License-Identifier: Apache-2.0 */
/* Does /dev/kvm run code? A real-mode guest that adds two numbers and writes the sum to a port. */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

static const unsigned char code[] = {
	0xb0, 40, /* mov $40, %al */
	0x04, 2, /* add $2, %al */
	0xe6, 0x10, /* out %al, $0x10 */
	0xf4, /* hlt */
};

static int bad(const char *what)
{
	perror(what);
	return 1;
}

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return bad("/dev/kvm");
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);
	void *ram = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (vm < 0 || ram == MAP_FAILED)
		return bad("KVM_CREATE_VM");
	memcpy(ram, code, sizeof(code));
	struct kvm_userspace_memory_region slot = {
		.guest_phys_addr = 0x1000, .memory_size = 4096, .userspace_addr = (unsigned long)ram,
	};
	int vcpu = ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) == 0 ? ioctl(vm, KVM_CREATE_VCPU, 0) : -1;
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (vcpu < 0 || size < 0)
		return bad("KVM_CREATE_VCPU");
	struct kvm_run *run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	struct kvm_sregs sregs;
	if (run == MAP_FAILED || ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		return bad("KVM_GET_SREGS");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	struct kvm_regs regs = { .rip = 0x1000, .rflags = 2 };
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0 || ioctl(vcpu, KVM_RUN, 0) < 0)
		return bad("KVM_RUN");
	if (run->exit_reason != KVM_EXIT_IO) {
		fprintf(stderr, "unexpected exit %u\n", run->exit_reason);
		return 1;
	}
	printf("the guest said %u\n", *((unsigned char *)run + run->io.data_offset));
	return 0;
}
