/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "vmm/vm.h"

static void keep(struct fl_vm *vm, const struct fl_fault *fault)
{
	struct fl_kept_fault *kept = &vm->last_fault;
	FL_LOCKED(&vm->lock);

	if (fault->id < kept->fault.id) /* another vCPU's overtook this one */
		return;
	kept->fault = *fault;
	snprintf(kept->share, sizeof(kept->share), "%s", fault->share ? fault->share : "");
	snprintf(kept->path, sizeof(kept->path), "%s", fault->path ? fault->path : "");
	kept->fault.share = kept->share;
	kept->fault.path = kept->path;
}

void fl_vm_fault(void *arg, const struct fl_fault *fault)
{
	struct fl_vm *vm = arg;
	char line[1024];

	keep(vm, fault);
	if (vm->config.opts.fault) {
		vm->config.opts.fault(vm->config.opts.arg, fault);
		return;
	}
	/* nobody listens: then it is at least in the log */
	fl_fault_format(fault, line, sizeof(line));
	fl_log_limited(&vm->log, &vm->guest_limit, FL_LOG_WARN, "%s", line);
}

enum fl_action fl_vm_ask(void *arg, const struct fl_fault *fault)
{
	struct fl_vm *vm = arg;

	return vm->config.opts.decide(vm->config.opts.arg, fault);
}

int fl_vm_get_status(struct fl_vm *vm, struct fl_vm_status *status)
{
	struct fl_vm_status now = {.mode = vm->mode.mode};
	uint32_t size = status->size;

	if (size < sizeof(size))
		return -EINVAL;
	snprintf(now.mode_why, sizeof(now.mode_why), "%s", vm->mode.why);
	memcpy(status, &now, FL_MIN((size_t)size, sizeof(now)));
	status->size = (uint32_t)FL_MIN((size_t)size, sizeof(now));
	return 0;
}

/* The length of what was copied from the region of the first byte, or -errno. */
static ssize_t look_in_region(const struct fl_gpa_map *map, uint64_t gpa, void *buf, size_t len)
{
	const struct fl_region *region = fl_gpa_map_find(map, gpa);
	struct iovec local = {.iov_base = buf}, remote;
	ssize_t done;

	if (!region)
		return -EFAULT;
	local.iov_len = FL_MIN((uint64_t)len, region->len - (gpa - region->gpa));
	remote = (struct iovec){.iov_base = region->hva + (gpa - region->gpa), .iov_len = local.iov_len};
	done = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
	return done > 0 ? done : done < 0 ? -errno : -EFAULT;
}

int fl_vm_look(const struct fl_gpa_map *map, uint64_t gpa, void *buf, size_t len)
{
	uint8_t *bytes = buf;
	uint64_t end;

	if (fl_add_overflows(gpa, len, &end))
		return -EFAULT;
	while (len) {
		ssize_t done = look_in_region(map, gpa, bytes, len);

		if (done < 0)
			return (int)done;
		gpa += (uint64_t)done;
		bytes += done;
		len -= (size_t)done;
	}
	return 0;
}

int fl_vm_read_memory(struct fl_vm *vm, uint64_t gpa, void *buf, size_t len)
{
	return vm->started ? fl_vm_look(&vm->map, gpa, buf, len) : -EINVAL;
}

void fl_vm_window_trouble(void *arg, enum fl_window_trouble trouble, const struct fl_window_stats *stats)
{
	const struct fl_vm_share *share = arg;
	struct fl_vm *vm = share->vm;
	struct fl_window_event event = {
		.size = sizeof(event),
		.trouble = trouble,
		.region = share->config.tag,
		.ranges = stats->ranges_total,
		.ranges_mapped = stats->ranges_mapped,
		.times = trouble == FL_WINDOW_NEARLY_FULL ? stats->nearly_full : stats->no_mappings,
		.mappings_max = vm->mappings_max,
		.time_ns = fl_now_ns(CLOCK_REALTIME),
	};
	char line[512];

	if (vm->config.opts.window) {
		vm->config.opts.window(vm->config.opts.arg, &event);
		return;
	}
	fl_window_event_format(&event, line, sizeof(line));
	fl_log(&vm->log, FL_LOG_WARN, "%s", line);
}

/* Of plain windows all ranges are mapped, always. */
static void add_dax_windows(const struct fl_vm *vm, const char *name, struct fl_counters *sum)
{
	for (unsigned int i = 0; i < vm->share_count; i++) {
		const struct fl_vm_share *share = &vm->shares[i];
		struct fl_window_stats stats;

		if (!share->window || (name && strcmp(share->config.tag, name) != 0))
			continue;
		fl_window_get_stats(share->window, &stats);
		sum->window_ranges += stats.ranges_total;
		sum->window_ranges_mapped += stats.ranges_mapped;
		sum->window_ranges_most += stats.ranges_most;
		sum->window_nearly_full += stats.nearly_full;
		sum->window_no_mappings += stats.no_mappings;
	}
}

int fl_vm_get_counters(struct fl_vm *vm, const char *region, struct fl_counters *counters)
{
	struct fl_counters sum = {0};
	uint32_t size = counters->size;

	if (!vm->started || size < sizeof(size))
		return -EINVAL;
	for (unsigned int i = 0; i < vm->config.opts.vcpus; i++)
		if (!fl_vcpu_add_counters(vm->vcpus[i], region, &sum))
			return -ENOENT;
	add_dax_windows(vm, region, &sum);
	memcpy(counters, &sum, FL_MIN((size_t)size, sizeof(sum)));
	counters->size = (uint32_t)FL_MIN((size_t)size, sizeof(sum));
	return 0;
}
