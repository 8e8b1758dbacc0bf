/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/locate.h"

#include <string.h>

void fl_pieces_add(const struct fl_locate_ops *ops, const struct fl_operand_access *access, struct fl_pieces *pieces)
{
	uint32_t done = 0;

	while (done < access->len && pieces->count < FL_PIECES_MAX) {
		struct fl_piece *piece = &pieces->item[pieces->count++];
		uint64_t linear = access->linear + done;
		uint64_t room = FL_PAGE_LEN - (linear & (FL_PAGE_LEN - 1));

		*piece = (struct fl_piece){
			.linear = linear,
			.len = (uint32_t)FL_MIN(room, (uint64_t)(access->len - done)),
			.offset = done,
			.access = access->access,
		};
		piece->mapped = ops->translate(ops->arg, linear, &piece->gpa);
		done += piece->len;
	}
}

/*
 * Reads the instruction as far as it can be had: the second page is only asked for if the bytes of
 * the first do not make an instruction, as the CPU does not fetch from it either.
 */
static int fetch(const struct fl_locate_ops *ops, const struct fl_cpu_view *cpu, uint64_t linear, struct fl_insn *insn,
		 struct fl_pieces *pieces)
{
	uint8_t bytes[FL_INSN_LEN_MAX];
	struct fl_operand_access whole = {.linear = linear, .len = sizeof(bytes), .access = FL_ACCESS_FETCH};
	int result = -EINVAL;

	fl_pieces_add(ops, &whole, pieces);
	for (unsigned int i = 0; i < pieces->count; i++) {
		const struct fl_piece *piece = &pieces->item[i];

		if (!piece->mapped || ops->read(ops->arg, piece->gpa, bytes + piece->offset, piece->len)) {
			pieces->count = i + 1;
			return -EINVAL;
		}
		result = fl_insn_decode(bytes, piece->offset + piece->len, cpu->sregs, insn);
		if (result != -EAGAIN) {
			pieces->count = i + 1;
			break;
		}
	}
	return result;
}

static void trim_fetch(struct fl_pieces *pieces, uint32_t insn_len)
{
	for (unsigned int i = 0; i < pieces->count; i++) {
		struct fl_piece *piece = &pieces->item[i];

		piece->len = FL_MIN(piece->len, insn_len - FL_MIN(insn_len, piece->offset));
	}
}

void fl_locate_pieces(const struct fl_locate_ops *ops, struct fl_cpu_view *cpu, struct fl_pieces *pieces)
{
	struct fl_access_list list;
	struct fl_vectors vectors;
	struct fl_insn insn;

	*pieces = (struct fl_pieces){0};
	if (fetch(ops, cpu, fl_insn_linear(cpu), &insn, pieces))
		return;
	pieces->decoded = true;
	pieces->repeats = fl_insn_repeats(&insn);
	trim_fetch(pieces, insn.head.length);
	if (fl_insn_needs_vectors(&insn) && ops->vectors(ops->arg, &vectors))
		cpu->vectors = &vectors;
	fl_operands_list(&insn, cpu, &list);
	cpu->vectors = NULL;
	for (unsigned int i = 0; i < list.count; i++)
		fl_pieces_add(ops, &list.item[i], pieces);
}

static void found(struct fl_location *location, const struct fl_piece *piece, uint64_t gpa)
{
	*location = (struct fl_location){
		.gpa_valid = true,
		.gpa = gpa,
		.gva_valid = true,
		.gva = piece->linear + (gpa - piece->gpa),
		.access = piece->access,
	};
}

/* KVM named byte and direction: only the linear address is missing. */
static enum fl_locate_result locate_exact(const struct fl_intake *in, const struct fl_pieces *pieces,
					  struct fl_location *location)
{
	*location = (struct fl_location){.gpa_valid = true, .gpa = in->gpa, .access = in->access};
	for (unsigned int i = 0; i < pieces->count; i++) {
		const struct fl_piece *piece = &pieces->item[i];

		if (!piece->mapped || piece->access == FL_ACCESS_FETCH || in->gpa < piece->gpa ||
		    in->gpa - piece->gpa >= piece->len)
			continue;
		/* the read half of a read-modify-write is reported as what the instruction is: a write */
		found(location, piece, in->gpa);
		break;
	}
	return FL_LOCATE_BAD;
}

static bool page_matches(const struct fl_intake *in, const struct fl_piece *piece)
{
	return !in->gpa_valid || fl_align_down(in->gpa, FL_PAGE_LEN) == fl_align_down(piece->gpa, FL_PAGE_LEN);
}

static enum fl_locate_result locate_by_probing(const struct fl_locate_ops *ops, const struct fl_intake *in,
					       const struct fl_pieces *pieces, struct fl_location *location)
{
	const struct fl_piece *first = NULL;
	bool window = false;

	for (unsigned int i = 0; i < pieces->count; i++) {
		const struct fl_piece *piece = &pieces->item[i];

		if (!piece->mapped || !page_matches(in, piece))
			continue;
		first = first ? first : piece;
		window = window || ops->is_window(ops->arg, piece->gpa);
		if (ops->is_bad(ops->arg, piece->gpa, piece->access)) {
			found(location, piece, piece->gpa);
			return FL_LOCATE_BAD;
		}
	}
	/* KVM named the page: only its facts did not settle (fl_probe_page()), and whoever looks next may find it gone
	 */
	if (in->gpa_valid && first) {
		found(location, first, first->gpa);
		location->unsettled = true;
		return FL_LOCATE_BAD;
	}
	/* an instruction that has nothing in a window cannot have failed: some access of it is not known here */
	return window ? FL_LOCATE_HEALTHY : FL_LOCATE_UNKNOWN;
}

enum fl_locate_result fl_locate(const struct fl_locate_ops *ops, const struct fl_intake *in,
				const struct fl_pieces *pieces, struct fl_location *location)
{
	enum fl_locate_result result;

	*location = (struct fl_location){0};
	if (in->gpa_exact)
		return locate_exact(in, pieces, location);
	result = locate_by_probing(ops, in, pieces, location);
	if (result != FL_LOCATE_BAD && in->gpa_valid) {
		/* KVM named the page, which says more than an instruction that cannot be followed */
		*location = (struct fl_location){.gpa_valid = true, .gpa = in->gpa};
		return FL_LOCATE_BAD;
	}
	return result;
}
