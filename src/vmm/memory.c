/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/layout.h"
#include "vmm/ram_budget.h"
#include "vmm/vm.h"

static int add_ram(struct fl_vm *vm, struct fl_diag *diag)
{
	struct fl_region region = {.kind = FL_REGION_RAM, .name = FL_RAM_NAME, .policy = vm->config.opts.ram_policy};
	int ret = fl_guest_ram_init(&vm->ram, vm->config.opts.ram_len, diag);

	if (ret)
		return ret;
	region.len = vm->place.ram_low_len;
	region.hva = vm->ram.hva;
	ret = fl_gpa_map_add(&vm->map, &region, diag);
	if (ret || !vm->place.ram_high_len)
		return ret;
	region.gpa = FL_GAP_END;
	region.len = vm->place.ram_high_len;
	region.hva = vm->ram.hva + vm->place.ram_low_len;
	return fl_gpa_map_add(&vm->map, &region, diag);
}

/* Runs on the thread that mapped, under the window's lock. */
static void window_broke(void *arg)
{
	fl_vm_end(arg, FL_END_ERROR, 0,
		  "a mapping in a window failed and its place was taken by other memory of this process, "
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

int fl_vm_make_window(struct fl_vm *vm, const struct fl_window_plan *plan, struct fl_window **window,
		      struct fl_diag *diag)
{
	int ret = fl_window_new(plan->len, window, diag);

	if (ret)
		return ret;
	fl_window_set_on_broken(*window, window_broke, vm);
	if (vm->watch)
		fl_window_set_watch(*window, vm->watch, vm->mode.mode == FL_FAULT_MODE_WATCH);
	return fl_gpa_map_add(&vm->map,
			      &(struct fl_region){.kind = FL_REGION_WINDOW,
						  .gpa = plan->gpa,
						  .len = plan->len,
						  .hva = fl_window_hva(*window),
						  .name = plan->name,
						  .window = *window,
						  .policy = plan->policy},
			      diag);
}

static int add_share_window(struct fl_vm *vm, struct fl_vm_share *share, uint64_t *next_gpa, struct fl_diag *diag)
{
	struct fl_window_plan plan = {
		.name = share->config.tag, .len = share->config.opts.window_len, .policy = share->config.opts.policy};
	struct fl_extent taken[FL_WINDOWS_MAX];
	int ret;

	for (unsigned int i = 0; i < vm->window_count; i++)
		taken[i] = (struct fl_extent){vm->windows[i].config.opts.gpa, vm->windows[i].config.opts.len};
	if (fl_find_place(&vm->place, plan.len, taken, vm->window_count, next_gpa))
		return fl_diag(diag, -EINVAL,
			       "there is no place for the DAX window of share %s (%llu MiB) below the end of the "
			       "%u-bit physical addresses of this host; give a smaller --dax-window or less --memory",
			       plan.name, (unsigned long long)(plan.len >> 20), vm->kvm.phys_bits);
	plan.gpa = share->window_gpa = *next_gpa;
	*next_gpa += plan.len;
	ret = fl_vm_make_window(vm, &plan, &share->window, diag);
	if (ret)
		return ret;
	fl_window_set_on_trouble(share->window, fl_vm_window_trouble, share);
	fl_window_set_prefault(share->window, share->config.opts.flags & FL_SHARE_PREFAULT);
	return 0;
}

/* Nothing is refused: most guests never need what their windows could. */
static void warn_of_map_budget(struct fl_vm *vm)
{
	struct fl_map_budget budget = {.max = vm->mappings_max = fl_map_count_max(),
				       .in_use = fl_map_count(),
				       .hides_ends = vm->mode.mode == FL_FAULT_MODE_WATCH};
	struct fl_diag diag = {0};

	for (unsigned int i = 0; i < vm->share_count; i++)
		budget.windows += vm->shares[i].config.opts.window_len;
	if (fl_check_map_budget(&budget, &diag))
		fl_log(&vm->log, FL_LOG_WARN, "%s", diag.text);
}

/* A guest need not use all that it has: only what the host's kernel would refuse later is refused now. */
static int check_ram_budget(const struct fl_vm *vm, struct fl_diag *diag)
{
	struct fl_ram_budget budget = {.ram_len = vm->config.opts.ram_len};
	struct fl_diag why = {0};
	int ret;

	fl_ram_budget_read(&budget);
	ret = fl_check_ram_budget(&budget, &why);
	if (ret == -ENOSPC) {
		fl_log(&vm->log, FL_LOG_WARN, "%s", why.text);
		return 0;
	}
	return ret ? fl_diag(diag, ret, "%s", why.text) : 0;
}

int fl_vm_memory_init(struct fl_vm *vm, struct fl_diag *diag)
{
	uint64_t next_gpa = 0;
	int ret = check_window_cost(vm, diag);

	if (!ret)
		ret = check_ram_budget(vm, diag);
	if (!ret)
		warn_of_map_budget(vm);
	if (!ret)
		ret = add_ram(vm, diag);
	for (unsigned int i = 0; !ret && i < vm->share_count; i++)
		if (vm->shares[i].config.opts.window_len)
			ret = add_share_window(vm, &vm->shares[i], &next_gpa, diag);
	if (!ret)
		ret = fl_vm_windows_init(vm, diag);
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
	fl_vm_windows_fini(vm);
	fl_guest_ram_fini(&vm->ram);
	vm->map.count = 0;
}
