/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/layout.h"
#include "vmm/vm.h"

static int add_ram(struct fl_vm *vm, struct fl_diag *diag)
{
	uint64_t len = vm->config.opts.ram_len;
	int ret = fl_guest_ram_init(&vm->ram, len, diag);

	if (ret)
		return ret;
	vm->ram_low_len = FL_MIN(len, FL_GAP_START);
	vm->ram_high_len = len - vm->ram_low_len;
	ret = fl_gpa_map_add(
		&vm->map,
		&(struct fl_region){.kind = FL_REGION_RAM, .len = vm->ram_low_len, .hva = vm->ram.hva, .name = "ram"},
		diag);
	if (ret || !vm->ram_high_len)
		return ret;
	return fl_gpa_map_add(&vm->map,
			      &(struct fl_region){.kind = FL_REGION_RAM,
						  .gpa = FL_GAP_END,
						  .len = vm->ram_high_len,
						  .hva = vm->ram.hva + vm->ram_low_len,
						  .name = "ram"},
			      diag);
}

/* Runs on the thread that mapped, under the window's lock. */
static void window_broke(void *arg)
{
	fl_vm_end(arg, FL_END_ERROR, 0,
		  "a mapping in a DAX window failed and its place was taken by other memory of this process, "
		  "so the guest was stopped; see that vm.max_map_count and memory limits are large enough");
}

/* The guest spends 64 bytes of RAM on every page of a window (struct page). */
#define WINDOW_COST_SHIFT 6

static int check_window_cost(const struct fl_vm *vm, struct fl_diag *diag)
{
	uint64_t total = 0;

	for (unsigned int i = 0; i < vm->share_count; i++)
		total += vm->shares[i].config.opts.window_len;
	if (total >> WINDOW_COST_SHIFT > vm->config.opts.ram_len / 2)
		return fl_diag(diag, -EINVAL,
			       "DAX windows of %llu MiB in all would cost the guest more than half of its "
			       "memory; give a smaller --dax-window or more --memory",
			       (unsigned long long)(total >> 20));
	return 0;
}

static int add_window(struct fl_vm *vm, struct fl_vm_share *share, uint64_t *next_gpa, struct fl_diag *diag)
{
	uint64_t len = share->config.opts.window_len;
	uint64_t limit = UINT64_C(1) << vm->kvm.phys_bits;
	int ret;

	if (!vm->kvm.strict)
		return fl_diag(diag, -ENOTSUP,
			       "KVM cannot disable HLT exits here, so a lost page would hang its vCPU unseen; "
			       "give --dax-window 0 to run share %s without DAX",
			       share->config.tag);
	share->window_gpa = fl_align_up(*next_gpa, FL_WINDOW_ALIGN);
	if (!fl_range_fits(share->window_gpa, len, limit))
		return fl_diag(diag, -EINVAL,
			       "the DAX window of share %s (%llu MiB) lies beyond the %u-bit physical "
			       "addresses of this host; give a smaller --dax-window",
			       share->config.tag, (unsigned long long)(len >> 20), vm->kvm.phys_bits);
	ret = fl_window_new(len, &share->window, diag);
	if (ret)
		return ret;
	fl_window_set_on_broken(share->window, window_broke, vm);
	*next_gpa = share->window_gpa + len;
	return fl_gpa_map_add(&vm->map,
			      &(struct fl_region){.kind = FL_REGION_WINDOW,
						  .gpa = share->window_gpa,
						  .len = len,
						  .hva = fl_window_hva(share->window),
						  .name = share->config.tag,
						  .window = share->window,
						  .policy = share->config.opts.policy},
			      diag);
}

int fl_vm_memory_init(struct fl_vm *vm, struct fl_diag *diag)
{
	uint64_t next_gpa = FL_GAP_END;
	int ret = check_window_cost(vm, diag);

	if (!ret)
		ret = add_ram(vm, diag);
	next_gpa += vm->ram_high_len;
	for (unsigned int i = 0; !ret && i < vm->share_count; i++)
		if (vm->shares[i].config.opts.window_len)
			ret = add_window(vm, &vm->shares[i], &next_gpa, diag);
	if (ret)
		return ret;
	return fl_gpa_map_install(&vm->map, vm->kvm.vm_fd, diag);
}

void fl_vm_memory_fini(struct fl_vm *vm)
{
	for (unsigned int i = 0; i < vm->share_count; i++) {
		fl_window_free(vm->shares[i].window);
		vm->shares[i].window = NULL;
	}
	fl_guest_ram_fini(&vm->ram);
	vm->map.count = 0;
}
