# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# What scripts/test runs and what came of it. A run is one suite on one host; it has one part or several, each with a directory of
# its own, so that they can run side by side: results (lines "passed failed skipped name"), logs/, and "complete" if it came to
# its end. Needs common.sh, tap.sh and $results.

run_labels=()
run_places=()
summary=()
failures=()
total_passed=0
total_failed=0
total_skipped=0

# new_run LABEL "where": run_dir is its directory
new_run() {
	run_labels+=("$1")
	run_places+=("$2")
	say "suite $1 $2"
	run_dir=$results/${#run_labels[@]}
	mkdir -p "$run_dir"
}

# new_part: part_dir is the directory of one more part of this run
new_part() {
	part_dir=$(mktemp -d "$run_dir/part.XXX")
}

# join_parts DIR: what the directories of its parts have, as if it were of one
join_parts() {
	local part complete=1
	mkdir -p "$1/logs" "$1/consoles"
	for part in "$1"/part.*; do
		find "$part/logs" -type f -exec mv -t "$1/logs" {} + 2>/dev/null || true
		find "$part/consoles" -type f -exec mv -t "$1/consoles" {} + 2>/dev/null || true
		cat "$part/results" >>"$1/results" 2>/dev/null || true
		[ -e "$part/complete" ] || complete=
	done
	[ -z "$complete" ] || : >"$1/complete"
}

# A line of failure that belongs to no test
count_failure() {
	summary+=("$1, which counts as failed")
	total_failed=$((total_failed + 1))
}

# conclude_run NUMBER: one line of the summary
conclude_run() {
	local suite=${run_labels[$1]} where=${run_places[$1]} dir=$results/$(($1 + 1)) passed=0 failed=0 skipped=0 p f s name note=
	join_parts "$dir"
	[ -z "$(cat "$dir"/part.*/again 2>/dev/null)" ] || where+=", and more because the emulation failed"
	while read -r p f s name; do
		passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
		[ "$f" -eq 0 ] || failures+=("suite $suite $where: $name"$'\n'"$(tap_brief "$dir/logs/${name//[^A-Za-z0-9._-]/_}.log")")
	done < <(cat "$dir/results" 2>/dev/null || true)
	if [ ! -e "$dir/complete" ]; then
		note=" -- did not run to its end, which counts as failed"
		failed=$((failed + 1))
	elif [ $((passed + failed)) -eq 0 ]; then
		note=" -- ran no tests, which counts as failed"
		failed=$((failed + 1))
	fi
	total_passed=$((total_passed + passed))
	total_failed=$((total_failed + failed))
	total_skipped=$((total_skipped + skipped))
	[ "$skipped" -eq 0 ] || note=", $skipped skipped$note"
	summary+=("$(printf 'suite %-10s %s: %d passed, %d failed%s' "$suite" "$where" "$passed" "$failed" "$note")")
}

# run_here BUILD-DIR SUITE PART-DIR [run-suite options]: tests on this machine
run_here() {
	local build=$1 suite=$2 dir=$3
	shift 3
	say "begins"
	"$root/scripts/lib/run-suite" "$@" --tests "$tests" "$root/$build" "$suite" "$dir" || rm -f "$dir/complete"
}

# run_selftest SCRIPT PART-DIR: a script of scripts/lib that prints TAP
run_selftest() {
	local test=$1 dir=$2 status=0
	say "begins" 2>&1 | prefixed "${test%-selftest}"
	mkdir "$dir/logs"
	"$root/scripts/lib/$test" "$root/build/faultline" 2>&1 </dev/null | tee "$dir/logs/$test.log" | sed -u 's/^/  /' |
		prefixed "${test%-selftest}" || status=$?
	printf '%s %s\n' "$(tap_verdict "$dir/logs/$test.log" tap "$status" 0)" "$test" >"$dir/results"
	: >"$dir/complete"
}

# Suites of this machine, one after the other in one lane
here=()

# plan_here LABEL "where" BUILD-DIR SUITE [run-suite options]
plan_here() {
	local label=$1 where=$2 build=$3 suite=$4
	shift 4
	new_run "$label" "$where"
	new_part
	here+=("run_here ${build@Q} ${suite@Q} ${part_dir@Q} ${*@Q} 2>&1 | prefixed ${label@Q}")
}

run_all_here() {
	local one
	for one in "${here[@]}"; do eval "$one"; done
}
