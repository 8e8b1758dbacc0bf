/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/placement.h"

#include "vmm/layout.h"

void fl_place_ram(struct fl_placement *placement, uint64_t ram_len, uint32_t phys_bits)
{
	*placement = (struct fl_placement){
		.ram_low_len = FL_MIN(ram_len, FL_GAP_START),
		.ram_high_len = ram_len - FL_MIN(ram_len, FL_GAP_START),
		.limit = phys_bits < 63 ? UINT64_C(1) << phys_bits : UINT64_C(1) << 63,
	};
}

int fl_check_ram(const struct fl_placement *placement, struct fl_diag *diag)
{
	uint64_t most = placement->limit - FL_GAP_END + FL_GAP_START;

	if (placement->ram_low_len + placement->ram_high_len <= most)
		return 0;
	return fl_diag(diag, -EINVAL,
		       "guest memory of %llu MiB does not fit below the guest's last address on this host, %#llx; "
		       "give at most %llu MiB",
		       (unsigned long long)((placement->ram_low_len + placement->ram_high_len) >> 20),
		       (unsigned long long)placement->limit - 1, (unsigned long long)(most >> 20));
}

/* Neither wraps: windows end below 2^64 (config.c). */
static bool meets(const struct fl_extent *window, uint64_t gpa, uint64_t len)
{
	return len && window->gpa < gpa + len && gpa < window->gpa + window->len;
}

int fl_check_place(const struct fl_placement *placement, const struct fl_extent *window, const char *name,
		   const struct fl_extent *taken, unsigned int taken_count, struct fl_diag *diag)
{
	if (meets(window, 0, placement->ram_low_len) || meets(window, FL_GAP_END, placement->ram_high_len))
		return fl_diag(diag, -EINVAL,
			       "window %s at %#llx lies on the guest's memory; there is none from %#llx on", name,
			       (unsigned long long)window->gpa,
			       (unsigned long long)fl_align_up(FL_GAP_END + placement->ram_high_len, FL_RANGE_LEN));
	if (meets(window, FL_GAP_START, FL_GAP_END - FL_GAP_START))
		return fl_diag(diag, -EINVAL, "window %s at %#llx lies on the devices, from %#llx to %#llx", name,
			       (unsigned long long)window->gpa, (unsigned long long)FL_GAP_START,
			       (unsigned long long)FL_GAP_END);
	if (!fl_range_fits(window->gpa, window->len, placement->limit))
		return fl_diag(diag, -EINVAL, "window %s at %#llx ends beyond the guest's last address, %#llx", name,
			       (unsigned long long)window->gpa, (unsigned long long)placement->limit - 1);
	for (unsigned int i = 0; i < taken_count; i++)
		if (meets(window, taken[i].gpa, taken[i].len))
			return fl_diag(diag, -EINVAL, "window %s at %#llx lies on another one, from %#llx to %#llx",
				       name, (unsigned long long)window->gpa, (unsigned long long)taken[i].gpa,
				       (unsigned long long)(taken[i].gpa + taken[i].len));
	return 0;
}

static const struct fl_extent *first_met(const struct fl_extent *window, const struct fl_extent *taken,
					 unsigned int taken_count)
{
	for (unsigned int i = 0; i < taken_count; i++)
		if (meets(window, taken[i].gpa, taken[i].len))
			return &taken[i];
	return NULL;
}

int fl_find_place(const struct fl_placement *placement, uint64_t len, const struct fl_extent *taken,
		  unsigned int taken_count, uint64_t *gpa)
{
	struct fl_extent window = {.gpa = FL_MAX(*gpa, FL_GAP_END + placement->ram_high_len), .len = len};

	for (;;) {
		const struct fl_extent *obstacle;

		window.gpa = fl_align_up(window.gpa, FL_WINDOW_ALIGN);
		if (!fl_range_fits(window.gpa, len, placement->limit))
			return -ENOSPC;
		obstacle = first_met(&window, taken, taken_count);
		if (!obstacle)
			break;
		window.gpa = obstacle->gpa + obstacle->len; /* higher than before: each is met at most once */
	}
	*gpa = window.gpa;
	return 0;
}
