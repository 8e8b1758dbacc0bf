/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that is known of a VM, as text. Everything in it can have been chosen by a guest, or be gone:
 * names are quoted, memory is read by fl_vm_look(), and what cannot be read is said to be so.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vcpu/page_walk.h"
#include "vmm/stretch.h"
#include "vmm/vm.h"

#define CODE_LEN      16u
#define PATH_ROOM     4200
#define STRETCHES_MAX 4096u /* lines about one window */

static void put_quoted(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < ' ' || c >= 0x7f)
			fprintf(out, "\\%03o", c);
		else if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void put_policy(FILE *out, const struct fl_policy *policy)
{
	for (unsigned int i = 0; i < FL_POLICY_MAX && policy->action[i] != FL_ACTION_STOP; i++)
		fprintf(out, "%s,", fl_action_name(policy->action[i]));
	fputs("stop", out);
}

static const char *end_name(enum fl_end end)
{
	static const char *const names[] = {
		[FL_END_NONE] = "none",
		[FL_END_EXITED] = "the command exited",
		[FL_END_SIGNALED] = "a signal ended the command",
		[FL_END_POWEROFF] = "power off",
		[FL_END_RESET] = "reset",
		[FL_END_CRASHED] = "crash",
		[FL_END_FAULT] = "stopped by a fault",
		[FL_END_STOPPED] = "stopped on request",
		[FL_END_ERROR] = "trouble on the host",
		[FL_END_NOT_RUN] = "the command could not be started",
	};

	return (size_t)end < FL_ARRAY_SIZE(names) ? names[end] : "unknown";
}

static void put_result(FILE *out, const struct fl_result *result)
{
	fprintf(out, "end: %s, code %d\n", end_name(result->end), result->code);
	if (result->text[0]) {
		fputs("because: ", out);
		put_quoted(out, result->text);
		fputc('\n', out);
	}
}

static void put_last_fault(FILE *out, struct fl_vm *vm)
{
	char line[1024] = "";

	pthread_mutex_lock(&vm->lock);
	if (vm->last_fault.fault.id)
		fl_fault_format(&vm->last_fault.fault, line, sizeof(line));
	pthread_mutex_unlock(&vm->lock);
	if (line[0])
		fprintf(out, "last fault: %s\n", line);
}

static void put_life(FILE *out, struct fl_vm *vm, enum fl_vm_state state)
{
	fprintf(out, "Faultline %s, guest ", fl_version());
	put_quoted(out, vm->config.name);
	fputc('\n', out);
	if (state == FL_VM_ENDED) /* then it does not change any more */
		put_result(out, &vm->result);
	else
		fprintf(out, "state: %s\n", fl_vm_state_name(state));
	fprintf(out, "fault mode: %s (%s)\nfaults: %" PRIu64 "\n", fl_fault_mode_name(vm->mode.mode), vm->mode.why,
		atomic_load(&vm->env.fault_count));
	put_last_fault(out, vm);
}

static void put_shares(FILE *out, const struct fl_vm *vm)
{
	fputs("\nShares (name, directory here, mount in the guest)\n", out);
	for (unsigned int i = 0; i < vm->share_count; i++) {
		const struct fl_share_config *share = &vm->shares[i].config;

		fputs("  ", out);
		put_quoted(out, share->tag);
		fputc(' ', out);
		put_quoted(out, share->dir);
		fputc(' ', out);
		if (share->mount)
			put_quoted(out, share->mount);
		else
			fputs("none: it keeps the changes of the one before", out);
		fputc('\n', out);
	}
}

static void put_segment(FILE *out, const char *name, const struct kvm_segment *s)
{
	fprintf(out,
		"  %-4s %04x base %016" PRIx64 " limit %08x type %x s %u dpl %u present %u avl %u l %u db %u g %u%s\n",
		name, s->selector, (uint64_t)s->base, s->limit, s->type, s->s, s->dpl, s->present, s->avl, s->l, s->db,
		s->g, s->unusable ? " unusable" : "");
}

static void put_sregs(FILE *out, const struct kvm_sregs *s)
{
	fprintf(out, "  cr0 %016" PRIx64 " cr2 %016" PRIx64 " cr3 %016" PRIx64 " cr4 %016" PRIx64 " cr8 %" PRIx64 "\n",
		(uint64_t)s->cr0, (uint64_t)s->cr2, (uint64_t)s->cr3, (uint64_t)s->cr4, (uint64_t)s->cr8);
	fprintf(out, "  efer %016" PRIx64 " apic base %016" PRIx64 "\n", (uint64_t)s->efer, (uint64_t)s->apic_base);
	put_segment(out, "cs", &s->cs);
	put_segment(out, "ds", &s->ds);
	put_segment(out, "es", &s->es);
	put_segment(out, "fs", &s->fs);
	put_segment(out, "gs", &s->gs);
	put_segment(out, "ss", &s->ss);
	put_segment(out, "tr", &s->tr);
	put_segment(out, "ldt", &s->ldt);
	fprintf(out, "  gdt  base %016" PRIx64 " limit %04x\n  idt  base %016" PRIx64 " limit %04x\n",
		(uint64_t)s->gdt.base, s->gdt.limit, (uint64_t)s->idt.base, s->idt.limit);
}

static void put_regs(FILE *out, const struct kvm_regs *regs)
{
	const struct {
		const char *name;
		uint64_t value;
	} list[] = {
		{"rax", regs->rax}, {"rbx", regs->rbx},	      {"rcx", regs->rcx}, {"rdx", regs->rdx},
		{"rsi", regs->rsi}, {"rdi", regs->rdi},	      {"rsp", regs->rsp}, {"rbp", regs->rbp},
		{"r8", regs->r8},   {"r9", regs->r9},	      {"r10", regs->r10}, {"r11", regs->r11},
		{"r12", regs->r12}, {"r13", regs->r13},	      {"r14", regs->r14}, {"r15", regs->r15},
		{"rip", regs->rip}, {"rflags", regs->rflags},
	};

	for (size_t i = 0; i < FL_ARRAY_SIZE(list); i++)
		fprintf(out, "%s%-3s %016" PRIx64 "%s", i % 4 ? " " : "  ", list[i].name, list[i].value,
			i % 4 == 3 || i + 1 == FL_ARRAY_SIZE(list) ? "\n" : "");
}

static void put_events(FILE *out, int fd)
{
	struct kvm_vcpu_events e;

	if (ioctl(fd, KVM_GET_VCPU_EVENTS, &e) < 0) {
		fprintf(out, "  events cannot be read: %m\n");
		return;
	}
	fprintf(out,
		"  events: exception %u (injected %u, pending %u, code %#x), interrupt %u (injected %u, shadow %u), "
		"nmi (injected %u, pending %u, masked %u), smm %u\n",
		e.exception.nr, e.exception.injected, e.exception.pending, e.exception.error_code, e.interrupt.nr,
		e.interrupt.injected, e.interrupt.shadow, e.nmi.injected, e.nmi.pending, e.nmi.masked, e.smi.smm);
}

static int read_for_walk(void *arg, uint64_t gpa, void *buf, size_t len)
{
	return fl_vm_look(arg, gpa, buf, len);
}

/* The bytes at RIP, up to the end of their page. */
static void put_code(FILE *out, struct fl_vm *vm, const struct kvm_sregs *sregs, uint64_t rip)
{
	uint8_t bytes[CODE_LEN];
	uint64_t len = FL_MIN((uint64_t)CODE_LEN, FL_PAGE_LEN - rip % FL_PAGE_LEN);
	uint64_t gpa;

	if (fl_page_walk(read_for_walk, &vm->map, sregs, rip, &gpa) != FL_PAGE_WALK_MAPPED) {
		fputs("  code: rip is not mapped by the guest's page tables\n", out);
		return;
	}
	fprintf(out, "  code at gpa %#" PRIx64 ":", gpa);
	if (fl_vm_look(&vm->map, gpa, bytes, len)) {
		fputs(" cannot be read\n", out);
		return;
	}
	for (uint64_t i = 0; i < len; i++)
		fprintf(out, " %02x", bytes[i]);
	fputc('\n', out);
}

static void put_vcpu(FILE *out, struct fl_vm *vm, unsigned int index)
{
	int fd = fl_vcpu_fd(vm->vcpus[index]);
	struct kvm_mp_state mp = {0};
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	fprintf(out, "\nvCPU %u\n", index);
	if (ioctl(fd, KVM_GET_REGS, &regs) < 0 || ioctl(fd, KVM_GET_SREGS, &sregs) < 0) {
		fprintf(out, "  registers cannot be read: %m\n");
		return;
	}
	if (ioctl(fd, KVM_GET_MP_STATE, &mp) == 0)
		fprintf(out, "  mp state %u (KVM_MP_STATE_*)\n", mp.mp_state);
	put_regs(out, &regs);
	put_sregs(out, &sregs);
	put_events(out, fd);
	put_code(out, vm, &sregs, regs.rip);
}

static void put_map(FILE *out, const struct fl_vm *vm)
{
	fputs("\nMemory map (guest-physical, kind, name, policy)\n", out);
	for (unsigned int i = 0; i < vm->map.count; i++) {
		const struct fl_region *region = &vm->map.regions[i];

		fprintf(out, "  %016" PRIx64 "-%016" PRIx64 " %s ", region->gpa, region->gpa + region->len - 1,
			region->kind == FL_REGION_RAM ? "memory" : "window");
		put_quoted(out, region->name);
		fputc(' ', out);
		put_policy(out, &region->policy);
		fputc('\n', out);
	}
}

static void put_file(FILE *out, const struct fl_window_view *view)
{
	char path[PATH_ROOM];
	uint64_t file_len;

	fl_backing_path(view->backing, path, sizeof(path));
	put_quoted(out, path);
	fprintf(out, " from %" PRIu64 " on, was %" PRIu64 " bytes", view->file_offset, view->mapped_file_len);
	if (fl_backing_get_len(view->backing, &file_len) == 0)
		fprintf(out, ", is %" PRIu64, file_len);
}

static void put_stretch(FILE *out, const struct fl_region *region, const struct fl_stretch *stretch)
{
	const struct fl_window_view *view = &stretch->view;

	fprintf(out, "  %016" PRIx64 "-%016" PRIx64 " %s%s%s", region->gpa + stretch->start,
		region->gpa + stretch->end - 1,
		view->state == FL_RANGE_MAPPED_RW   ? "rw "
		: view->state == FL_RANGE_MAPPED_RO ? "ro "
						    : "broken ",
		view->substituted ? "substitute for " : "", view->hidden ? "beyond the end of " : "");
	if (view->backing)
		put_file(out, view);
	fputc('\n', out);
}

static void put_window(FILE *out, const struct fl_region *region)
{
	struct fl_stretch stretch;
	struct fl_window_stats stats = {0};
	unsigned int lines = 0;
	uint64_t offset = 0;

	fl_window_get_stats(region->window, &stats);
	fputs("\nWindow ", out);
	put_quoted(out, region->name);
	fprintf(out,
		": %" PRIu64 " of %" PRIu64 " ranges mapped (%" PRIu64 " at most); pages: %" PRIu64
		" substituted now (%" PRIu64 " ever), %" PRIu64 " hidden and %" PRIu64 " restored ever; %" PRIu64
		" repairs\n",
		stats.ranges_mapped, stats.ranges_total, stats.ranges_most, stats.substitutes, stats.substituted,
		stats.hidden, stats.restored, stats.repairs);
	while (lines < STRETCHES_MAX && fl_stretch_next(region->window, &offset, &stretch)) {
		put_stretch(out, region, &stretch);
		fl_window_view_put(&stretch.view);
		lines++;
	}
	if (lines == STRETCHES_MAX)
		fputs("  and more\n", out);
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* The vCPUs stand. */
static void put_all(FILE *out, struct fl_vm *vm, enum fl_vm_state state)
{
	put_life(out, vm, state);
	for (unsigned int i = 0; i < vm->config.opts.vcpus; i++)
		put_vcpu(out, vm, i);
	put_shares(out, vm);
	put_map(out, vm);
	for (unsigned int i = 0; i < vm->map.count; i++)
		if (vm->map.regions[i].window)
			put_window(out, &vm->map.regions[i]);
}

static int collect(struct fl_vm *vm, FILE *out)
{
	enum fl_vm_state state;
	int ret;
	FL_LOCKED(&vm->pause_lock);

	state = fl_vm_state(vm);
	ret = fl_vm_hold(vm);
	if (ret)
		return ret;
	put_all(out, vm, state);
	fl_vm_let_go(vm);
	return 0;
}

int fl_vm_write_report(struct fl_vm *vm, int fd)
{
	FL_FREE char *text = NULL;
	size_t len = 0;
	FILE *out;
	int ret;

	if (!vm->started)
		return -EINVAL;
	out = open_memstream(&text, &len);
	if (!out)
		return -ENOMEM;
	ret = collect(vm, out);
	if (fclose(out))
		return -ENOMEM;
	return ret ? ret : write_all(fd, text, len);
}
