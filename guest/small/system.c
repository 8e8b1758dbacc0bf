/* SPDX-License-Identifier: Apache-2.0 */
/* What the actors' sources use of a C library, as this kernel has it; and the clock, which is KVM's. */
#include "guest/small/small.h"

#include <string.h>

#define KVM_LEAF		0x40000000u
#define KVM_SIGNATURE		0x4b4d564bu /* "KVMK" in EBX */
#define KVM_CLOCKSOURCE		8u	    /* KVM_FEATURE_CLOCKSOURCE2 is bit 3 of EAX */
#define MSR_KVM_SYSTEM_TIME_NEW 0x4b564d01u

#define PAGES_LEN ((size_t)4 << 20)

/* Documentation/virt/kvm/x86/msr.rst: struct pvclock_vcpu_time_info */
struct kvm_clock {
	uint32_t version;
	uint32_t pad;
	uint64_t tsc, ns;
	uint32_t multiplier;
	int8_t shift;
	uint8_t flags;
	uint8_t reserved[2];
};

static volatile struct kvm_clock kvm_clock __attribute__((aligned(64)));
static uint8_t pages[PAGES_LEN] __attribute__((aligned(4096)));
static size_t pages_used;
static int last_error;

/* ---- memory ------------------------------------------------------------------------------- */

void *small_pages(size_t len)
{
	uint8_t *at = pages + pages_used;

	len = fl_align_up(len, FL_PAGE_LEN);
	if (len > PAGES_LEN - pages_used)
		small_die("there is no memory for %u bytes", (unsigned int)len);
	pages_used += len;
	return at; /* the machine's memory was zero when it began */
}

void *memcpy(void *to, const void *from, size_t len)
{
	uint8_t *to_byte = to;
	const uint8_t *from_byte = from;

	for (; len >= 8; len -= 8, to_byte += 8, from_byte += 8) {
		uint64_t word;

		__asm__ volatile("movq (%1), %0" : "=r"(word) : "r"(from_byte) : "memory");
		__asm__ volatile("movq %0, (%1)" : : "r"(word), "r"(to_byte) : "memory");
	}
	while (len--) {
		*(volatile uint8_t *)to_byte++ = *from_byte++;
	}
	return to;
}

void *memmove(void *to, const void *from, size_t len)
{
	if ((uintptr_t)to <= (uintptr_t)from || (uintptr_t)to - (uintptr_t)from >= len)
		return memcpy(to, from, len);
	while (len--)
		((volatile uint8_t *)to)[len] = ((const uint8_t *)from)[len];
	return to;
}

void *memset(void *at, int byte, size_t len)
{
	void *begin = at;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(len) : "a"(byte) : "memory");
	return begin;
}

int memcmp(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *a_byte = a, *b_byte = b;

	for (size_t i = 0; i < len; i++)
		if (a_byte[i] != b_byte[i])
			return a_byte[i] < b_byte[i] ? -1 : 1;
	return 0;
}

size_t strlen(const char *text)
{
	const volatile char *at = text;
	size_t len = 0;

	while (at[len])
		len++;
	return len;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

/* ---- the clock ---------------------------------------------------------------------------- */

void small_cpuid(uint32_t leaf, uint32_t words[4])
{
	small_call(SMALL_CALL_CPUID, leaf, (uintptr_t)words);
}

void small_clock_init(void)
{
	uint32_t words[4];

	small_cpuid(KVM_LEAF, words);
	if (words[1] != KVM_SIGNATURE)
		small_die("this is no KVM: there is no clock");
	small_cpuid(KVM_LEAF + 1, words);
	if (!(words[0] & KVM_CLOCKSOURCE))
		small_die("KVM has no clock for its guests here");
	small_call(SMALL_CALL_WRMSR, MSR_KVM_SYSTEM_TIME_NEW, (uintptr_t)&kvm_clock | 1);
}

static uint64_t read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return low | (uint64_t)high << 32;
}

static uint64_t now_ns(void)
{
	uint32_t version;
	uint64_t ns;

	do {
		uint64_t ticks;

		version = kvm_clock.version;
		__asm__ volatile("" : : : "memory");
		ticks = read_tsc() - kvm_clock.tsc;
		ticks = kvm_clock.shift >= 0 ? ticks << kvm_clock.shift : ticks >> -kvm_clock.shift;
		ns = kvm_clock.ns + (uint64_t)((unsigned __int128)ticks * kvm_clock.multiplier >> 32);
		__asm__ volatile("" : : : "memory");
	} while (version & 1 || version != kvm_clock.version);
	return ns;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
	static uint64_t last_ns;
	uint64_t ns = now_ns();

	(void)clock;
	last_ns = FL_MAX(ns, last_ns);
	*time = (struct timespec){.tv_sec = (time_t)(last_ns / 1000000000u), .tv_nsec = (long)(last_ns % 1000000000u)};
	return 0;
}

/* ---- the rest ----------------------------------------------------------------------------- */

int nanosleep(const struct timespec *time, struct timespec *left)
{
	(void)left;
	small_give_way((uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec);
	return 0;
}

long sysconf(int name)
{
	(void)name; /* how many CPUs there are */
	return 1;
}

int *__errno_location(void)
{
	return &last_error;
}
