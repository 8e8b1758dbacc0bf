# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Counting test cases in what a test program printed.

# tap_verdict LOG PROTOCOL STATUS LIMIT: prints "passed failed skipped". Whatever a program did not get to
# say counts against it: a crash, a time-out, fewer cases than it planned, no case at all. The reason is
# added to the log, since that is what gets shown.
tap_verdict() {
	local log=$1 protocol=$2 status=$3 limit=$4 passed failed skipped planned reason=
	# cmocka writes a skipped case as "not ok N # SKIP name"
	skipped=$(grep -cE '^(not )?ok [0-9]+.*# SKIP' "$log" || true)
	passed=$(grep -E '^ok [0-9]+' "$log" | grep -vc '# SKIP' || true)
	failed=$(grep -E '^not ok [0-9]+' "$log" | grep -vc '# SKIP' || true)
	planned=$(sed -n 's/^1\.\.\([0-9][0-9]*\).*/\1/p' "$log" | awk '{ n += $1 } END { print n + 0 }')
	if [ "$protocol" != tap ]; then
		tap_exit_only "$log" "$status" "$limit"
		return
	fi
	if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
		reason="was ended after its time limit of $limit s"
	elif [ "$status" -gt 128 ]; then
		reason="was ended by signal $((status - 128))"
	elif [ $((passed + failed + skipped)) -lt "$planned" ]; then
		reason="ran only $((passed + failed + skipped)) of $planned cases"
	elif [ $((passed + failed + skipped)) -eq 0 ]; then
		reason="reported no case"
	elif [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
		reason="exit status $status"
	fi
	if [ -n "$reason" ]; then
		printf '\nnot ok - the program %s\n' "$reason" >>"$log"
		failed=$((failed + 1))
	fi
	printf '%d %d %d\n' "$passed" "$failed" "$skipped"
}

tap_exit_only() {
	local log=$1 status=$2 limit=$3
	case "$status" in
	0) printf '1 0 0\n' ;;
	77) printf '0 0 1\n' ;;
	*)
		printf '\nnot ok - exit status %d (time limit %d s)\n' "$status" "$limit" >>"$log"
		printf '0 1 0\n'
		;;
	esac
}

# tap_failures LOG: each "not ok" with what stands before it since the last result, of which no more than 60 lines, and
# the lines behind it, where cmocka has its message; no more than five of them. (cmocka writes a skipped test as
# "not ok ... # SKIP".)
tap_failures() {
	awk '
		/^not ok / && !/# SKIP/ && failures < 5 {
			failures++
			for (i = (n > 60 ? n - 60 : 0); i < n; i++) print line[i]
			print
			behind = 12
			n = 0
			next
		}
		behind > 0 && --behind > 0 { print }
		/^(not )?ok / { n = 0; next }
		{ line[n++] = $0 }' "$1"
}

# tap_brief LOG: the first three "not ok", each with the six lines before it and behind it
tap_brief() {
	[ -r "$1" ] || {
		printf '    | its log is not there: what it ran in ended first\n'
		return 0
	}
	awk '
		/^not ok / && !/# SKIP/ && failures < 3 {
			failures++
			for (i = (n > 6 ? n - 6 : 0); i < n; i++) print "    | " line[i]
			print "    | " $0
			behind = 7
			n = 0
			next
		}
		behind > 0 && --behind > 0 { print "    | " $0; next }
		{ line[n++] = $0 }' "$1"
}
