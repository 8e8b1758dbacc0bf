# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Suites in the box, for scripts/test. Needs test-runs.sh and lanes.sh, and $host_kernel, $guest_kernel, $tests.

# plan_box LABEL BUILD-DIR SUITE PARTS: each part has a box of its own
plan_box() {
	local label=$1 build=$2 suite=$3 parts=$4 where="in the box (Linux $host_kernel, SVM under emulation)" part name=$1
	[ "$suite:$guest_kernel" != box:debug ] || where="in the box, with the debug kernel as guest"
	[ "$parts" -eq 1 ] || where+=", in $parts parts"
	case "$label" in kvm) name=kvm-box ;; matrix) name=$host_kernel ;; esac
	new_run "$label" "$where"
	for ((part = 1; part <= parts; part++)); do
		new_part
		[ "$parts" -eq 1 ] || name="$label $part/$parts"
		add_task box in_boxes "$name" "$build" "$suite" "$part/$parts" "$part_dir" "$host_kernel"
	done
}

# in_boxes NAME BUILD-DIR SUITE PART PART-DIR HOST-KERNEL: what it prints is prefixed with NAME. Emulation is slow, so every test
# gets more time. If the emulator's one known flaw brings down the kernel of the box, the tests that had not ended yet get a new
# box; nothing else is tried a second time. The file "again" of PART-DIR then has a line.
in_boxes() {
	local label=$1 build=$2 suite=$3 part=$4 dir=$5 host_kernel=$6 status=0 boxes=0 name
	local deadline=$((SECONDS + 2400)) ended=()
	local factor=6 memory=3G
	# One CPU: where QEMU 7.2 runs several at the same time, its nested SVM now and then gives a guest with two of them the
	# RIP of its host, or a state in which it faults three times over: in each of six runs of a thousand truncations under
	# Linux, and in one of five storms of small guests, on an idle machine.
	if [ "$suite:$guest_kernel" = box:debug ]; then
		# what checks itself is many times as slow, and its shadow of the memory is an eighth of it
		memory=4G deadline=$((SECONDS + 10800))
	fi
	: >"$dir/ended"
	: >"$dir/again"
	say "begins" 2>&1 | prefixed "$label"
	while :; do
		boxes=$((boxes + 1)) status=0
		# shellcheck disable=SC2016  # expanded inside
		"$root/scripts/box" --timeout $((deadline - SECONDS)) --cpus 1 --memory "$memory" --host-kernel "$host_kernel" \
			--out "$dir" -- sh -c 'mkdir -p "$FAULTLINE_BOX_OUT/consoles" && exec "$@" "$FAULTLINE_BOX_OUT"' sh \
			"$root/scripts/lib/run-suite" --factor "$factor" --part "$part" "${ended[@]}" --tests "$tests" "$root/$build" \
			"$suite" 2>&1 </dev/null | tee "$dir/said" | prefixed "$label" || status=$?
		[ -e "$dir/complete" ] || reported_rows "$dir/said" >>"$dir/ended"
		[ "$boxes" -lt 3 ] || break
		# also where the box's own init, which says something every 5 s, has fallen silent: no guest can do that to it
		{ [ "$status" -eq 125 ] && grep -qE '^box: .*(flaw of the emulation|the box hangs)' "$dir/said"; } || break
		[ $((deadline - SECONDS)) -gt 60 ] || break
		say "suite $label: the emulation failed, not a test; a new box runs what had not ended yet"
		printf 'box %d\n' "$boxes" >>"$dir/again"
		ended=()
		while read -r _ _ _ name; do ended+=(--skip "$name"); done <"$dir/ended"
	done
	cat "$dir/ended" >>"$dir/results"
	[ "$status" -eq 0 ] || {
		printf 'the box of %s ended with status %d\n' "$label" "$status"
		rm -f "$dir/complete"
	}
}

# What run-suite printed about ended tests, as lines of its results
reported_rows() {
	sed -n 's/^  \([^ ]\+\) \+\([0-9]\+\) passed, \([0-9]\+\) failed, \([0-9]\+\) skipped ([0-9]\+ s)$/\2 \3 \4 \1/p' "$1"
}

# check_consoles DIR: what the debug kernel said of itself
check_consoles() {
	local logs=("$1"/*.log)
	[ -e "${logs[0]}" ] || {
		count_failure "suite box        no guest's kernel said anything"
		return
	}
	"$root/scripts/lib/kernel-reports" "${logs[@]}" || count_failure "suite box        the debug kernel reported something (above)"
}

# shapes_seen KERNEL RUN-DIR: from the "# shape:" lines of the tests
shapes_seen() {
	local shape text=''
	while read -r shape; do
		text+=${text:+; }$shape
	done < <(sed -n 's/ ([0-9]*)$//; s/^# shape: //p' "$2"/logs/*.log 2>/dev/null | sort -u)
	printf '  %-14s %s\n' "$1" "${text:-none seen}"
}

# check_shapes KERNEL RUN-DIR: only the patched KVM names the page (its second patch), and it always does.
check_shapes() {
	local wanted=efault other=annotated
	[[ $1 != *-patched ]] || wanted=annotated other=efault
	if ! grep -qsw "^# shape: .*$wanted" "$2"/logs/*.log || grep -qsw "^# shape: .*$other" "$2"/logs/*.log; then
		count_failure "suite matrix     Linux $1 showed other shapes than \"$wanted\" (above)"
	fi
}

# check_cells: all runs of test_kvm_cells together, since the local host and the kernels in the box produce different cells
check_cells() {
	local logs=("$results"/*/logs/kvm-cells.log)
	[ -e "${logs[0]}" ] || return 0
	printf '\ncells of docs/faults.md, on all hosts together:\n'
	"$root/scripts/lib/cells-covered" "$root/build/tests/kvm/test_kvm_cells" "${logs[@]}" ||
		count_failure "cells of docs/faults.md were not run on a host where they can occur (above)"
}
