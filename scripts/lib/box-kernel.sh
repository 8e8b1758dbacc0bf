# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# What the box boots: a stock Debian cloud kernel and an initramfs with box-init and the KVM modules.
# Needs common.sh and packages.sh.

box_package_of() {
	case "$1" in
	6.12) printf 'linux-image-6.12-cloud-amd64\n' ;;
	6.1) printf 'linux-image-cloud-amd64\n' ;;
	*) die "unknown host kernel $1: there are 6.12, 6.1 and 6.12-patched" ;;
	esac
}

# stock_kernel_of NAME: the kernel that is booted; it differs from NAME where only KVM's modules are our own
stock_kernel_of() {
	printf '%s\n' "${1%-patched}"
}

# ensure_box_kernel NAME: unpacks the kernel NAME below the cache unless it is there. The caller must not hold
# the box's lock.
ensure_box_kernel() {
	[ ! -e "$cache/box/$1" ] || return 0
	(
		hold_lock "$cache/box/lock" "preparing the box"
		mkdir -p "$cache/logs"
		[ -e "$cache/box/$1" ] || prepare_box_kernel "$1" "$cache/box/$1"
	)
}

# prepare_box_kernel NAME DIR: DIR/vmlinux, DIR/modules/*.ko in load order, DIR/root with the whole package
prepare_box_kernel() {
	local name=$1 dir=$2 meta package tmp
	meta=$(box_package_of "$name")
	known_to_apt "$meta" || apt_update_once
	package=$(resolve_meta "$meta")
	[ -n "$package" ] || die "apt knows no package $meta; this needs Debian 12 with its security archive among the apt sources"
	rm -rf "$dir.tmp"
	mkdir -p "$dir.tmp"
	unpack_package "$package" "$dir.tmp/root"
	unpack_vmlinux "$dir.tmp"/root/boot/vmlinuz-* "$dir.tmp/vmlinux"
	# for modprobe -d: programs inside may want more of the kernel's own modules
	depmod -b "$dir.tmp/root" "$(basename "$dir.tmp"/root/lib/modules/*)"
	collect_modules "$dir.tmp" virtio_pci virtio_console virtiofs kvm-amd
	mv -T "$dir.tmp" "$dir"
}

# Booting the ELF image directly saves the decompression, which takes more than a second in emulation. The
# boot protocol says where the payload is: Documentation/arch/x86/boot.rst, payload_offset and payload_length.
unpack_vmlinux() {
	local image=$1 to=$2 sectors offset length
	sectors=$(od -An -tu1 -j $((0x1f1)) -N1 "$image")
	offset=$(od -An -tu4 -j $((0x248)) -N4 "$image")
	length=$(od -An -tu4 -j $((0x24c)) -N4 "$image")
	# the last four bytes are the unpacked size, which belongs to no compression format
	tail -c +$(((sectors + 1) * 512 + offset + 1)) "$image" | head -c $((length - 4)) >"$to.packed" || true
	case "$(od -An -tx1 -N4 "$to.packed")" in
	" 28 b5 2f fd") zstd -qdcf <"$to.packed" >"$to" ;;
	" 02 21 4c 18") lz4 -dcf <"$to.packed" >"$to" ;;
	" fd 37 7a 58") xz -dc <"$to.packed" >"$to" ;;
	*) die "$image is compressed in a way that is not known here" ;;
	esac
	rm "$to.packed"
}

# collect_modules DIR NAME...: the modules and what they depend on, unpacked, numbered in load order
collect_modules() {
	local dir=$1 name
	shift
	mkdir -p "$dir/modules"
	for name in "$@"; do
		collect_module "$dir" "$name"
	done
}

collect_module() {
	local dir=$1 name=${2//-/_} file count depends d
	! grep -q "/${name//_/[-_]}\.ko$" "$dir"/root/lib/modules/*/modules.builtin || return 0
	compgen -G "$dir/modules/*-$name.ko" >/dev/null && return 0
	file=$(find "$dir/root/lib/modules" -name "${name//_/[-_]}.ko*" | head -n 1)
	[ -n "$file" ] || die "the host kernel has no module $name"
	depends=$(modinfo -F depends "$file")
	for d in ${depends//,/ }; do
		collect_module "$dir" "$d"
	done
	count=$(find "$dir/modules" -name '*.ko' | wc -l)
	case "$file" in
	*.xz) xz -dc "$file" ;;
	*) cat "$file" ;;
	esac >"$dir/modules/$(printf '%02d' "$count")-$name.ko"
}

# build_box_programs DIR: box-run and box-init, compiled; box-init static, since it runs before there is a libc
build_box_programs() {
	local dir=$1
	mkdir -p "$dir.tmp"
	step "compiling box-run" "$cache/logs/box-run.log" "scripts/deps installs the compiler." \
		gcc -O2 -Wall -Wextra -o "$dir.tmp/box-run" "$scripts"/box-run*.c
	step "compiling box-init" "$cache/logs/box-init.log" "A static libc.a is needed; it is in libc6-dev." \
		gcc -O2 -Wall -Wextra -static -o "$dir.tmp/box-init" "$scripts"/box-init*.c
	rm -rf "$dir"
	mv -T "$dir.tmp" "$dir"
}

# build_initramfs KERNEL-DIR BOX-INIT FILE [MODULE-DIR]: not compressed, because the box would have to undo that.
# Modules in MODULE-DIR replace those of the kernel.
build_initramfs() {
	local kernel=$1 init=$2 to=$3 own=${4:-} tree m target
	tree=$(mktemp -d "$to.tree.XXXXXX")
	mkdir "$tree/dev" "$tree/new" "$tree/raw" "$tree/modules"
	cp "$init" "$tree/init"
	cp "$kernel"/modules/*.ko "$tree/modules/"
	for m in ${own:+"$own"/*.ko}; do
		target=${m##*/}
		target=$(compgen -G "$tree/modules/*-${target//-/_}") || die "the kernel in $kernel does not load ${m##*/}"
		cp "$m" "$target"
	done
	(cd "$tree" && find . | LC_ALL=C sort | cpio --quiet -o -H newc --reproducible -R 0:0) >"$to.tmp"
	rm -rf "$tree"
	mv "$to.tmp" "$to"
}
