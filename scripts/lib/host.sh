# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Which host runs what. Needs common.sh; the launcher must be built.

# choose_host LAUNCHER: sets host_kind (linux: /dev/kvm here runs Linux guests; small: it runs small guests
# only; none) and host_name, a few words for people. The launcher finds out by trying, not by name.
choose_host() {
	local answer
	# what the host lacks besides, such as a guest kernel, makes it exit with another status: that is not asked here
	answer=$("$1" doctor --json 2>&1 </dev/null) || true
	host_kind=$(sed -n 's/.*"guests":"\([a-z]*\)".*/\1/p' <<<"$answer")
	case "$host_kind" in
	linux | small | none) ;;
	*)
		printf '%s\n' "$answer" | tail -n 5 | sed 's/^/    /' >&2
		die "'faultline doctor --json' does not say which guests run here"
		;;
	esac
	host_name=$(kvm_name)
	case "$host_kind" in
	linux) say "host: /dev/kvm here ($host_name) runs Linux guests, so they run on it" ;;
	small) say "host: /dev/kvm here ($host_name) runs small guests only, so Linux guests run in the box" ;;
	none) say "host: no usable /dev/kvm here, so everything that needs KVM runs in the box" ;;
	esac
}

kvm_name() {
	local module
	for module in kvm_pvm:'software: PVM' kvm_intel:'hardware: VMX' kvm_amd:'hardware: SVM'; do
		if [ -e "/sys/module/${module%%:*}" ]; then
			printf '%s\n' "${module#*:}"
			return
		fi
	done
	printf 'of a kind not known here\n'
}
