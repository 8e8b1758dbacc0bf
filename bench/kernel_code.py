# SPDX-License-Identifier: Apache-2.0
"""usage: kernel_code.py VMLINUX-WITHOUT VMLINUX-WITH REASONS

Which functions of a kernel are other code with the series than without it? Two functions are the same if they are the
same instructions, each with the same operands, where an address counts as what lies there: the same symbol, string or
jump table. A noise-free answer to what the series costs where nothing is lost: a function that is the same costs the
same (but for where the linker put it).

REASONS has a line for each function that may differ: a pattern of its name (fnmatch), blanks, and the reason. Of those
that every system call and page fault runs through (HOT) a pattern says nothing: where more differs than a constant, such
as the place of a field in a structure, the reason has to name the function. Exit status 0 if all that differs has a
reason, and no reason is left over.
"""
import bisect
import collections
import fnmatch
import itertools
import re
import subprocess
import sys
import tempfile

# What every operation of bench/run guest is made of.
HOT = """
entry_SYSCALL_64 do_syscall_64 x64_sys_call syscall_exit_to_user_mode
asm_exc_page_fault exc_page_fault error_entry error_return handle_mm_fault lock_vma_under_rcu
irqentry_enter irqentry_exit irqentry_exit_to_user_mode exit_to_user_mode_loop asm_sysvec_apic_timer_interrupt
filemap_fault filemap_map_pages shmem_fault finish_fault zap_page_range_single unmap_page_range
_copy_to_user _copy_from_user rep_movs_alternative rep_stos_alternative _copy_to_iter _copy_from_iter
__schedule __switch_to_asm __switch_to finish_task_switch.isra try_to_wake_up ret_from_fork_asm
vfs_read vfs_write pipe_read pipe_write shmem_file_read_iter generic_perform_write do_sendfile splice_direct_to_actor
kernel_clone copy_process do_exit do_group_exit do_wait
get_signal arch_do_signal_or_restart x64_setup_rt_frame __do_sys_rt_sigreturn force_sig_fault
do_futex futex_wake futex_wait __x64_sys_getpid __x64_sys_clock_gettime
hrtimer_interrupt do_idle
""".split()

Symbol = collections.namedtuple("Symbol", "start size name")
INSTRUCTION = re.compile(r"^ *([0-9a-f]+):\t(.*?)\s*$")
ANNOTATION = re.compile(r" <[^>]*>")
RIP_RELATIVE = re.compile(r"-?0x[0-9a-f]+\(%rip\)(.*?)\s+# ([0-9a-f]+)")
ADDRESS = re.compile(r"ffffffff[89a-f]|-0x[0-9a-f]{8}")
KERNEL_START = 0xffffffff80000000
IMAGE_START, IMAGE_END = 0x1000000, 0x10000000
NUMBER = re.compile(r"-?\b0x[0-9a-f]+|\b[0-9a-f]{6,16}\b")
LKGS, LKGS_STAND_IN = b"\xf2\x0f\x00\xf7", b"\xf2\xf2\xf2\x90"
# instructions: a test, a conditional jump and a jump
STUB_MAX = 3
COUNTER = re.compile(r"\.\d+$")


def lines_of(*command):
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield from process.stdout
    if process.returncode:
        sys.exit(f"{' '.join(command)}: failed")


class Kernel:
    def __init__(self, path):
        self.path = path
        self.sections, self.extents = [], []
        self.symbols = []
        self.loose, self.loose_order = {}, []
        self.functions = collections.defaultdict(list)
        self.read_sections()
        self.read_symbols()
        self.read_code()

    def read_sections(self):
        with open(self.path, "rb") as file:
            self.image = file.read()
        for line in lines_of("readelf", "-SW", self.path):
            match = re.match(r"\s*\[ *\d+\] (\S+)\s+(\S+)\s+([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) \S+ +(\S+)", line)
            if not match or "A" not in match[6]:
                continue
            start, offset, size = (int(match[i], 16) for i in (3, 4, 5))
            self.extents.append((start, size))
            if match[2] != "NOBITS":
                self.sections.append((start, size, offset))

    def read_symbols(self):
        for line in lines_of("readelf", "-sW", self.path):
            fields = line.split()
            if len(fields) != 8 or fields[3] not in ("FUNC", "OBJECT", "NOTYPE"):
                continue
            if fields[6] == "ABS" and not is_address(int(fields[1], 16)):
                continue
            # readelf writes sizes that are long in hexadecimal
            self.symbols.append(Symbol(int(fields[1], 16), int(fields[2], 0), COUNTER.sub("", fields[7])))
        # where several begin together, the name that does not depend on the order in the table
        self.symbols.sort(key=lambda s: (s.start, s.size, s.name))
        self.starts = [s.start for s in self.symbols]

    def disassembly(self):
        """objdump of Debian 12 takes LKGS for nonsense, and what follows too: it gets something of that length."""
        with tempfile.NamedTemporaryFile() as copy:
            copy.write(self.image.replace(LKGS, LKGS_STAND_IN))
            copy.flush()
            yield from lines_of("objdump", "-d", "--no-show-raw-insn", copy.name)

    def read_code(self):
        """Each function's instructions, its own end the last one: what pads it to the next does not run."""
        ends = {}
        for symbol in self.symbols:
            ends.setdefault(symbol.start, []).append(symbol)
        here, end, code = [], 0, []
        for line in self.disassembly():
            match = INSTRUCTION.match(line)
            if not match:
                continue
            address = int(match[1], 16)
            found = [s for s in ends.get(address, ()) if s.size]
            if found:
                here, end, code = found, address + found[-1].size, []
                for symbol in here:
                    self.functions[symbol.name].append((address, code))
            if address < end:
                code.append(match[2])
            else:
                self.loose[address] = match[2]
                self.loose_order.append(address)

        self.loose_order.sort()

    def allocated(self, address):
        return any(start <= address < start + size for start, size in self.extents if start)

    def bytes_at(self, address, count):
        for start, size, offset in self.sections:
            if start <= address < start + size:
                at = offset + address - start
                return self.image[at:at + min(count, start + size - address)]
        return None

    def near(self, address):
        """The symbols that begin at or before it, the last one first, as far back as could matter."""
        index = bisect.bisect_right(self.starts, address)
        return reversed(self.symbols[max(0, index - 8):index])

    def names(self, address):
        """All that it can be called: within symbols, the end of one (a loop over an array goes up to that, whatever
        comes there), or, where there is no content that tells more, so far behind the one before. Physical addresses
        are those of the kernel's image."""
        address &= (1 << 64) - 1
        if IMAGE_START <= address < IMAGE_END:
            return {f"physical {name}" for name in self.names(KERNEL_START + address)}
        found = set()
        for symbol in self.near(address):
            if address < symbol.start + max(symbol.size, 1):
                found.add(f"{symbol.name}+{address - symbol.start:#x}")
            elif symbol.start + symbol.size == address:
                found.add(f"end of {symbol.name}")
        if not found and self.allocated(address) and self.bytes_at(address, 1) is None:
            found.update(f"{s.name}+{address - s.start:#x}" for s in itertools.islice(self.near(address), 1))
        return found

    def place(self, address):
        """What lies there, in words that are good for another kernel too; None for a mere number."""
        address &= (1 << 64) - 1
        for symbol in self.near(address):
            if address < symbol.start + max(symbol.size, 1):
                return f"{symbol.name}+{address - symbol.start:#x}"
        if address in self.loose:
            return self.stub(address)
        content = self.bytes_at(address, 256)
        if content is None:
            return None
        return self.table(content) or "text " + repr(content.split(b"\0")[0])

    def stub(self, address):
        """Code of no function, up to its first jump that is always taken: static_cpu_has() before it is patched."""
        words = []
        first = bisect.bisect_left(self.loose_order, address)
        for at in self.loose_order[first:first + STUB_MAX]:
            kind, numbers = shape(self.loose[at])
            words += [kind] + [self.place(n) or hex(n) for n in numbers]
            if kind.startswith("jmp"):
                break
        return "stub " + " ".join(words)

    def table(self, content):
        """A jump table: as many entries as lead into one and the same function."""
        places = []
        for at in range(0, len(content) - 7, 8):
            target = int.from_bytes(content[at:at + 8], "little")
            if target < KERNEL_START:
                break
            place = self.place(target)
            if not place or "+" not in place or places and place.split("+")[0] != places[0].split("+")[0]:
                break
            places.append(place)
        return "table " + " ".join(places) if places else None


def shape(text):
    """An instruction without its numbers, and those."""
    text = ANNOTATION.sub("", text)
    match = RIP_RELATIVE.search(text)
    if match:
        text = f"{text[:match.start()]}(%rip){match[1]} 0x{match[2]}"
    return NUMBER.sub("#", text), [int(n, 16) for n in NUMBER.findall(text)]


def is_address(number):
    """Of a kernel, which is linked to the last 2 GiB. What is small can be that of a per-CPU variable, or a number."""
    return number & (1 << 64) - 1 >= KERNEL_START


def instruction_differs(left, right, old, new):
    """0: not at all; 1: only a displacement or constant; 2: it is another instruction."""
    if left == right and not ADDRESS.search(left):
        return 0
    (left_shape, left_numbers), (right_shape, right_numbers) = shape(left), shape(right)
    if left_shape != right_shape:
        return 2
    for a, b in zip(left_numbers, right_numbers):
        if a == b and not is_address(a) or old.names(a) & new.names(b):
            continue
        place = old.place(a)
        if place != new.place(b) or place is None and a != b:
            return 1
    return 0


def function_differs(left, right, old, new):
    if len(left) != len(right):
        return 2
    return max((instruction_differs(a, b, old, new) for a, b in zip(left, right)), default=0)


def compare(old, new):
    """name: 0, 1 or 2 as above, or "gone" or "new"; a name that several functions have, once for all."""
    result = {}
    for name in old.functions.keys() | new.functions.keys():
        before, after = old.functions.get(name), new.functions.get(name)
        if not before or not after:
            result[name] = "new" if not before else "gone"
        elif len(before) != len(after):
            result[name] = 2
        else:
            result[name] = max(function_differs(a[1], b[1], old, new) for a, b in zip(before, after))
    return result


def read_reasons(path):
    reasons = []
    with open(path) as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                pattern, reason = line.split(None, 1)
                reasons.append((pattern, reason.strip()))
    return reasons


KIND = {1: "only constants", 2: "instructions", "new": "only with the series", "gone": "only without it"}


def differing_rows(result, reasons):
    """Rows of the table, functions of the same kind and reason together, and what is wrong."""
    groups, wrong = collections.defaultdict(list), []
    unused = {pattern for pattern, _ in reasons}
    for name in sorted(n for n, how in result.items() if how):
        found = [(p, r) for p, r in reasons if fnmatch.fnmatchcase(name, p)]
        if not found:
            wrong.append(f"{name} differs ({KIND[result[name]]}) and has no reason")
        unused.difference_update(p for p, _ in found)
        groups[found[0][1] if found else "?", KIND[result[name]]].append(name)
    wrong += [f"nothing differs that the reason for {pattern} is about" for pattern in sorted(unused)]
    rows = [(reason, kind, " ".join(names)) for (reason, kind), names in sorted(groups.items())]
    return rows, wrong


def hot_rows(result, reasons):
    wrong = [f"{name} is in neither kernel: is it called something else now?" for name in HOT if name not in result]
    wrong += [f"{name} is code that all run through, differs, and has no reason of its own" for name in HOT
              if result.get(name, 0) not in (0, 1) and name not in (p for p, _ in reasons)]
    counts = collections.Counter(result.get(name) for name in HOT)
    return counts, wrong


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    result, reasons = compare(Kernel(sys.argv[1]), Kernel(sys.argv[2])), read_reasons(sys.argv[3])
    rows, wrong = differing_rows(result, reasons)
    hot, wrong_hot = hot_rows(result, reasons)
    all_of_them = collections.Counter(result.values())
    print("| functions | | the same | only constants | other instructions | only with the series | only without it |")
    print("|---|---|---|---|---|---|---|")
    for what, counts in (("all", all_of_them), ("hot", hot)):
        total = sum(counts.values())
        print(f"| {what} | {total} | {counts[0]} | {counts[1]} | {counts[2]} | {counts['new']} | {counts['gone']} |")
    print("\n| why | what differs | functions |\n|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    for line in itertools.chain(wrong, wrong_hot):
        print(line)
    return 1 if wrong or wrong_hot else 0


if __name__ == "__main__":
    sys.exit(main())
