# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Debian packages: installing some, and unpacking others into the cache without installing them.

# Everything the scripts, the build and the tests call, by Debian's name.
packages=(
	# the launcher and its tests
	meson ninja-build python3 gcc libc6-dev pkg-config git
	liburing-dev libfdt-dev libcmocka-dev libzydis-dev libseccomp-dev
	# the guest kernel
	make flex bison bc libelf-dev libssl-dev lz4 patch xz-utils perl
	# the box
	qemu-system-x86 qemu-system-common cpio kmod zstd
	# guests and tests
	busybox-static sqlite3 jq util-linux procps dmsetup e2fsprogs rsync python3-venv
	# the guest's network (faultline run --net)
	passt
	# the page of scenarios' results (tests alone)
	chromium chromium-driver
	# the manual pages, and the packages
	mandoc debhelper dpkg-dev
)

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing_packages() {
	local p
	for p in "${packages[@]}"; do
		installed "$p" || printf '%s\n' "$p"
	done
}

# empty: the machine's own apt
apt_options=()

# Kernels newer than Debian 12's are in the same archive, in suites with other names. Their lists are kept apart below
# the cache: the machine's own apt never sees, let alone installs, anything of them.
use_newer_suites() {
	local state=$cache/apt-newer mirror
	# shellcheck disable=SC2016  # apt-get's own placeholder
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' 'Created-By: Packages' | head -n 1)
	mkdir -p "$state/parts" "$state/lists/partial" "$state/archives/partial"
	cat >"$state/parts/newer.sources" <<-END
		Types: deb
		URIs: ${mirror:-http://deb.debian.org/debian}
		Suites: trixie trixie-backports sid experimental
		Components: main
		Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
	END
	: >"$state/empty"
	apt_options=(-o "Dir::Etc::sourcelist=$state/empty" -o "Dir::Etc::sourceparts=$state/parts"
		-o "Dir::State::lists=$state/lists" -o "Dir::Cache=$state")
	[ ! "$(id -u)" -eq 0 ] || apt_options+=(-o APT::Sandbox::User=root)
	[ -z "${newer_updated:-}" ] || return 0
	newer_updated=1
	step "fetching the package lists of newer Debian versions" "$cache/logs/apt-update-newer.log" "Check the network." \
		apt-get -q "${apt_options[@]}" update
}

use_own_suites() {
	apt_options=()
}

apt_update_once() {
	[ -z "${apt_updated:-}" ] || return 0
	apt_updated=1
	can_be_root || die "the package lists are empty and this is neither root nor a user with sudo: run 'apt-get update' as root"
	step "fetching the package lists" "$cache/logs/apt-update.log" "Check the network and the machine's apt sources." \
		as_root apt-get -q update
}

# The package that a meta package stands for, e.g. linux-image-6.12-cloud-amd64 -> linux-image-6.12.1-cloud-amd64.
resolve_meta() {
	apt-cache depends --important "$1" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9]\)/\1/p' | head -n 1
}

known_to_apt() {
	local policy
	policy=$(apt-cache "${apt_options[@]}" policy "$1" 2>/dev/null)
	[[ $policy == *"Candidate: "[!\(]* ]]
}

# unpack_package PACKAGE[=VERSION] DIR: DIR gets the package's files, and a file .package with its name and version.
# Nothing is installed: a kernel package would otherwise rewrite the machine's boot files.
unpack_package() {
	local package=$1 dir=$2 tmp
	[ "${#apt_options[@]}" -gt 0 ] || known_to_apt "${package%%=*}" || apt_update_once
	known_to_apt "${package%%=*}" || die "apt knows no package $package; this needs Debian 12 with its security archive among the apt sources"
	mkdir -p "$(dirname "$dir")"
	tmp=$(mktemp -d "$dir.tmp.XXXXXX")
	chmod 755 "$tmp"
	(
		cd "$tmp"
		mkdir deb files
		# root's apt drops to the user _apt for downloads, and warns when it may not enter the directory
		local sandbox=()
		[ "$(id -u)" -ne 0 ] || sandbox=(-o APT::Sandbox::User=root)
		cd deb
		step "fetching $package" "$cache/logs/fetch-${package%%=*}.log" "Check the network, or run 'apt-get update'." \
			apt-get -q "${apt_options[@]}" "${sandbox[@]}" download "$package"
		dpkg-deb -x ./*.deb ../files
		# shellcheck disable=SC2016  # dpkg-deb's own placeholders
		dpkg-deb -W --showformat '${Package} ${Version}\n' ./*.deb >../files/.package
	) || {
		rm -rf "$tmp"
		return 1
	}
	mv -T "$tmp/files" "$dir"
	rm -rf "$tmp"
}
