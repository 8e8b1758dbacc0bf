# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Tasks side by side: as many as there are lanes, and of those that run in a box no more than there is memory for.
# Needs common.sh.

# free_mib: what can be used without swapping
free_mib() {
	awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo
}

lane_kinds=()
lane_commands=()
declare -A lane_pids=()

# prefixed NAME: puts it before each line, since those of several tasks come mixed
prefixed() {
	sed -u "s|^|$(printf '%-13s' "$1")|"
}

# add_task KIND COMMAND...: KIND is "box" or "here". Tasks begin in the order in which they were added.
add_task() {
	lane_kinds+=("$1")
	shift
	lane_commands+=("${*@Q}")
}

# A lane is a process group of its own, so that with it everything ends that it started.
start_task() {
	local pid
	set -m
	(
		set +m
		eval "${lane_commands[$1]}"
	) </dev/null &
	pid=$!
	set +m
	lane_pids[$pid]=${lane_kinds[$1]}
	lane_kinds[$1]=started
}

running_boxes() {
	local pid n=0
	for pid in "${!lane_pids[@]}"; do
		[ "${lane_pids[$pid]}" != box ] || n=$((n + 1))
	done
	printf '%d\n' "$n"
}

# startable BOXES: the number of the first task that may begin now, or nothing
startable() {
	local i boxes
	boxes=$(running_boxes)
	for i in "${!lane_kinds[@]}"; do
		case "${lane_kinds[$i]}" in
		started) ;;
		box) [ "$boxes" -ge "$1" ] || { printf '%d\n' "$i" && return; } ;;
		*) printf '%d\n' "$i" && return ;;
		esac
	done
}

# A task says by what it leaves whether it came to its end, so its status is nothing. The shell names none if one that was
# killed has ended before it was asked; then those are meant that are there no more.
wait_for_one() {
	local pid=
	wait -n -p pid "${!lane_pids[@]}" 2>/dev/null || true
	if [ -n "${pid:-}" ]; then
		unset "lane_pids[$pid]"
		return
	fi
	for pid in "${!lane_pids[@]}"; do
		kill -0 "$pid" 2>/dev/null || unset "lane_pids[$pid]"
	done
}

# run_tasks LANES BOXES: returns when all have ended
run_tasks() {
	local next
	while :; do
		next=
		[ "${#lane_pids[@]}" -ge "$1" ] || next=$(startable "$2")
		if [ -n "$next" ]; then
			start_task "$next"
		elif [ "${#lane_pids[@]}" -gt 0 ]; then
			wait_for_one
		else
			break
		fi
	done
}

end_tasks() {
	local pid
	for pid in "${!lane_pids[@]}"; do
		kill -TERM -- "-$pid" 2>/dev/null || true
	done
	wait
}
