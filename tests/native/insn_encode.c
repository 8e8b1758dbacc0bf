/* SPDX-License-Identifier: Apache-2.0 */
/* From the manual's notation to bytes: SDM vol. 2A, 2.1 (legacy), 2.3 (VEX), 2.7 (EVEX), 3.1.1 (the notation). */
#include "tests/native/insn_form.h"

#include <stdio.h>
#include <string.h>

#define VVVV 3u /* register 3, where the form has a further source or a mask in VEX.vvvv */

enum scheme { SCHEME_LEGACY, SCHEME_VEX, SCHEME_EVEX };

struct pattern {
	enum scheme scheme;
	uint8_t prefix[4], opcode[6];
	unsigned int prefixes, opcodes;
	unsigned int wide, len_bits, pp, map, broadcast, vvvv;
	bool has_modrm;
	int digit; /* /0 to /7, or -1 for /r */
	unsigned int imm_len;
};

struct output {
	uint8_t *at;
	size_t count;
};

static void put(struct output *out, unsigned int byte)
{
	out->at[out->count++] = (uint8_t)byte;
}

static void put_number(struct output *out, uint64_t value, unsigned int len)
{
	for (unsigned int i = 0; i < len; i++)
		put(out, (unsigned int)(value >> (8 * i)) & 0xff);
}

/* One part of VEX.256.66.0F38.W0 */
static void take_vector_part(struct pattern *p, const char *part)
{
	static const char *const maps[] = {"", "0F", "0F38", "0F3A"};
	static const char *const pps[] = {"NP", "66", "F3", "F2"};

	for (unsigned int i = 1; i < 4; i++)
		if (strcmp(part, maps[i]) == 0)
			p->map = i;
	for (unsigned int i = 1; i < 4; i++)
		if (strcmp(part, pps[i]) == 0)
			p->pp = i;
	if (strcmp(part, "256") == 0)
		p->len_bits = 1;
	else if (strcmp(part, "512") == 0)
		p->len_bits = 2;
	else if (strcmp(part, "W1") == 0)
		p->wide = 1;
	else if (strcmp(part, "b") == 0)
		p->broadcast = 1;
	else if (strcmp(part, "NDS") == 0)
		p->vvvv = VVVV;
}

static void take_vector(struct pattern *p, char *token)
{
	char *save = NULL;

	p->scheme = token[0] == 'E' ? SCHEME_EVEX : SCHEME_VEX;
	for (char *part = strtok_r(token, ".", &save); part; part = strtok_r(NULL, ".", &save))
		take_vector_part(p, part);
}

static bool is_prefix(unsigned int byte)
{
	return byte == 0x66 || byte == 0xf0 || byte == 0xf2 || byte == 0xf3;
}

static void take_byte(struct pattern *p, const char *token)
{
	uint8_t byte = (uint8_t)strtoul(token, NULL, 16);

	if (p->scheme == SCHEME_LEGACY && !p->opcodes && is_prefix(byte))
		p->prefix[p->prefixes++] = byte;
	else
		p->opcode[p->opcodes++] = byte;
}

static void take_token(struct pattern *p, char *token)
{
	static const char imm[] = "bwdo"; /* ib 1, iw 2, id 4, io 8 */

	if (strncmp(token, "VEX", 3) == 0 || strncmp(token, "EVEX", 4) == 0) {
		take_vector(p, token);
	} else if (strcmp(token, "REX.W") == 0) {
		p->wide = 1;
	} else if (token[0] == '/') {
		p->has_modrm = true;
		p->digit = token[1] == 'r' ? -1 : token[1] - '0';
	} else if (token[0] == 'i' && token[1]) {
		p->imm_len += 1u << (strchr(imm, token[1]) - imm);
	} else {
		take_byte(p, token);
	}
}

static struct pattern parse(const char *code)
{
	struct pattern p = {.digit = -1};
	char text[80], *save = NULL;

	snprintf(text, sizeof(text), "%s", code);
	for (char *token = strtok_r(text, " ", &save); token; token = strtok_r(NULL, " ", &save))
		take_token(&p, token);
	return p;
}

static unsigned int high_bit(uint8_t reg)
{
	return reg != NO_REG && reg & 8 ? 1 : 0;
}

static void put_legacy_head(struct output *out, const struct pattern *p, const struct insn_coding *c)
{
	unsigned int rex = p->wide << 3 | high_bit(c->reg) << 2;

	if (c->form->flags & F_MOFFS || p->has_modrm)
		rex |= high_bit(c->address->index) << 1 | high_bit(c->address->base);
	for (unsigned int i = 0; i < p->prefixes; i++)
		put(out, p->prefix[i]);
	if (rex && !c->legacy)
		put(out, 0x40 | rex);
	for (unsigned int i = 0; i < p->opcodes; i++)
		put(out, p->opcode[i]);
}

static void put_vex_head(struct output *out, const struct pattern *p, const struct insn_coding *c)
{
	unsigned int r = !high_bit(c->reg), x = !high_bit(c->address->index), b = !high_bit(c->address->base);
	unsigned int vvvv = ~p->vvvv & 15;

	put(out, 0xc4);
	put(out, r << 7 | x << 6 | b << 5 | p->map);
	put(out, p->wide << 7 | vvvv << 3 | (p->len_bits & 1) << 2 | p->pp);
	for (unsigned int i = 0; i < p->opcodes; i++) /* and a ModRM byte that is always the same */
		put(out, p->opcode[i]);
}

static void put_evex_head(struct output *out, const struct pattern *p, const struct insn_coding *c)
{
	unsigned int r = !high_bit(c->reg), x = !high_bit(c->address->index), b = !high_bit(c->address->base);
	unsigned int vvvv = ~p->vvvv & 15;

	put(out, 0x62);
	put(out, r << 7 | x << 6 | b << 5 | 1u << 4 | p->map);
	put(out, p->wide << 7 | vvvv << 3 | 1u << 2 | p->pp);
	put(out, p->len_bits << 5 | p->broadcast << 4 | 1u << 3 | c->mask);
	put(out, p->opcode[0]);
}

static unsigned int log2_of(unsigned int scale)
{
	return scale == 8 ? 3 : scale == 4 ? 2 : scale == 2 ? 1 : 0;
}

/* 16-bit ModRM, SDM table 2-1: BX+SI BX+DI BP+SI BP+DI SI DI BP BX. */
static bool put_modrm16(struct output *out, unsigned int reg, const struct insn_coding *c, int64_t disp)
{
	static const uint8_t bases[8] = {3, 3, 5, 5, 6, 7, 5, 3};
	static const uint8_t indices[8] = {6, 7, 6, 7, NO_REG, NO_REG, NO_REG, NO_REG};
	const struct insn_address *a = c->address;
	unsigned int mod = a->disp_len == 0 ? 0 : a->disp_len == 1 ? 1 : 2;

	if (a->base == NO_REG) {
		put(out, reg << 3 | 6);
		put_number(out, (uint64_t)disp, 2);
		return true;
	}
	for (unsigned int rm = 0; rm < 8; rm++) {
		if (bases[rm] != a->base || indices[rm] != a->index || (rm == 6 && mod == 0))
			continue;
		put(out, mod << 6 | reg << 3 | rm);
		put_number(out, (uint64_t)disp, a->disp_len);
		return true;
	}
	return false;
}

static void put_modrm(struct output *out, unsigned int reg, const struct insn_coding *c, int64_t disp)
{
	const struct insn_address *a = c->address;
	unsigned int mod = a->base == NO_REG || a->disp_len == 0 ? 0 : a->disp_len == 1 ? 1 : 2;
	bool sib = a->index != NO_REG || a->base == NO_REG || (a->base & 7) == 4 || c->form->flags & F_SIB;

	if (a->rip_relative) {
		put(out, reg << 3 | 5);
	} else if (sib) {
		put(out, mod << 6 | reg << 3 | 4);
		put(out, log2_of(a->scale) << 6 | (a->index == NO_REG ? 4u : a->index & 7u) << 3 |
				 (a->base == NO_REG ? 5u : a->base & 7u));
	} else {
		put(out, mod << 6 | reg << 3 | (a->base & 7u));
	}
	put_number(out, (uint64_t)disp, a->disp_len);
}

static bool put_operand(struct output *out, const struct pattern *p, const struct insn_coding *c)
{
	unsigned int reg = p->digit >= 0 ? (unsigned int)p->digit : c->reg & 7u;
	int64_t disp = c->disp;

	if (c->address->rip_relative)
		disp -= (int64_t)(c->rip + out->count + 5 + p->imm_len);
	if (p->scheme == SCHEME_EVEX && c->address->disp_len == 1) {
		unsigned int unit = c->form->flags & F_SCALED ? c->form->len : 1;

		if (disp % (int64_t)unit || !(c->form->flags & F_SCALED))
			return false;
		disp /= (int64_t)unit;
	}
	if (c->address16)
		return put_modrm16(out, reg, c, disp);
	put_modrm(out, reg, c, disp);
	return true;
}

size_t insn_encode(const struct insn_coding *c, uint8_t *bytes)
{
	struct pattern p = parse(c->form->code);
	struct output out = {.at = bytes};

	if (c->address->segment)
		put(&out, c->address->segment);
	if (c->address->short_address)
		put(&out, 0x67);
	if (p.scheme == SCHEME_VEX)
		put_vex_head(&out, &p, c);
	else if (p.scheme == SCHEME_EVEX)
		put_evex_head(&out, &p, c);
	else
		put_legacy_head(&out, &p, c);
	if (p.has_modrm && !put_operand(&out, &p, c))
		return 0;
	if (c->form->flags & F_MOFFS)
		put_number(&out, (uint64_t)c->disp, c->address16 ? 2 : c->legacy || c->address->short_address ? 4 : 8);
	/* immediates are 1, which is a shift, a rotation and a nesting level, too */
	put_number(&out, 1, p.imm_len);
	return out.count <= 15 ? out.count : 0;
}
