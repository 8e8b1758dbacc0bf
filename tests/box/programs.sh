#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage: programs.sh CASE DIR
#
# Real programs at work in DIR, which is empty. What is printed says all that must be the same wherever this runs: it is
# run on the host itself and in a guest with DIR on a share, and the two outputs are compared. Status 77 and one line
# say what is missing here.
set -euo pipefail
case=$1
cd "$2"
# nothing of the user's, the same everywhere; what the tools put aside goes through DIR too
mkdir home tmp work
export HOME="$2/home" TMPDIR="$2/tmp" LC_ALL=C TZ=UTC PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
cd work
umask 022

need() {
	for tool; do
		command -v "$tool" >/dev/null || {
			echo "there is no $tool"
			exit 77
		}
	done
}

# Names, types, modes, links, sizes, times and targets of what is below a directory, but for the sizes of directories
tree() {
	(cd "$1" && find . -type d -printf '%P %y %m %T@\n' -o -printf '%P %y %m %n %s %T@ %l\n' | sort)
}

bytes() {
	(cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}

# a C project of 200 files, 193 of them headers: built, run, and built again after a change of one of them
compile() {
	need gcc make sha256sum
	for i in {0..5}; do
		call=x
		for j in {0..31}; do
			echo "static inline unsigned step$j(unsigned x) { return (x ^ 1$i$j) * 31 + 7; }" >"part$i-step$j.h"
			echo "#include \"part$i-step$j.h\""
			call="step$j($call)"
		done >"part$i.c"
		echo "unsigned part$i(unsigned x) { return $call; }" >>"part$i.c"
		echo "unsigned part$i(unsigned);"
	done >parts.h
	main=
	for i in {0..5}; do main+="x = part$i(x); "; done
	echo "#include <stdio.h>
#include \"parts.h\"
int main(void) { unsigned x = 1; $main return printf(\"%u\", x) < 0; }" >main.c
	cat >Makefile <<-'END'
		.RECIPEPREFIX := >
		program: $(patsubst %.c,%.o,$(wildcard *.c))
		> gcc -o $@ $(sort $^)
		%.o: %.c
		> gcc -O0 -pipe -MMD -c -o $@ $<
		-include $(wildcard *.d)
	END
	find . -name '*.[ch]' | wc -l
	make >log
	./program && echo
	echo "$(find . -name '*.o' | wc -l) objects, $(grep -c ' -c ' log) compilations"
	make -q && echo 'up to date'
	cat ./*.o ./*.d program | sha256sum
	echo 'static int more;' >>part4-step3.h
	make
	make -q && echo 'up to date'
	./program && echo
}

# a repository with some history: cloned, packed, checked
repository() {
	need git
	export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=c GIT_COMMITTER_EMAIL=c@example.org
	export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000' GIT_CONFIG_NOSYSTEM=1
	git init -q -b main origin
	cd origin
	for commit in 1 2; do
		mkdir d$commit
		for file in {1..12}; do
			seq "$((commit * file))" 1000 >"d$commit/f$file"
			echo $commit >>"f$file"
		done
		git add .
		git commit -q -m "commit $commit"
	done
	git checkout -q -b side main~1
	echo side >side
	git add side
	git commit -q -m side
	git checkout -q main
	git merge -q -m merged side
	git mv d1 d3
	git commit -q -m moved
	cd ..
	git clone -q --no-local origin copy
	git clone -q origin linked
	git -C copy gc -q
	for repository in copy linked; do
		git -C $repository fsck --full --strict
		git -C $repository rev-parse HEAD
		git -C $repository status --short
	done
	git -C copy count-objects -v | grep -E '^(count|in-pack|packs|garbage)'
	git -C copy log --oneline --stat | sha256sum
	diff -r copy linked --exclude=.git && echo same
}

# a database in WAL mode with its file mapped: a writer, a reader beside it, a checkpoint
database() {
	need sqlite3
	# sqlite3 says the size of the map each time
	sql() { sqlite3 -batch -cmd '.timeout 20000' -cmd 'PRAGMA mmap_size=67108864;' data.db "$@" | sed '/^67108864$/d'; }
	sql 'PRAGMA journal_mode=WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER, filler BLOB);'
	(
		for turn in 1 2 3 4 5 6; do
			sql "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
				INSERT INTO t (x, filler) SELECT i * $turn, hex(zeroblob(100)) FROM n;"
		done
	) &
	writer=$!
	# transactions are seen whole or not at all
	for look in 1 2 3 4 5 6; do
		sql "SELECT 'look $look: ' || CASE WHEN count(*) % 400 = 0 THEN 'whole' ELSE 'torn' END FROM t;"
	done
	wait $writer
	sql 'SELECT count(*), sum(x), sum(length(filler)) FROM t;'
	sql 'CREATE INDEX tx ON t (x); DELETE FROM t WHERE x % 3 = 0; SELECT count(*), sum(x) FROM t WHERE x > 600;'
	sql 'PRAGMA wal_checkpoint(TRUNCATE); PRAGMA integrity_check;'
	sql 'VACUUM; PRAGMA integrity_check; PRAGMA page_count;'
	ls
}

# a package, built here since there is no network: made, listed, unpacked, compared
package() {
	need dpkg dpkg-deb
	export SOURCE_DATE_EPOCH=1700000000
	mkdir -p p/DEBIAN p/usr/bin p/usr/share/doc/p p/etc p/var/lib/p
	printf 'Package: p\nVersion: 1.0\nArchitecture: all\nMaintainer: m <m@example.org>\nDescription: d\n' >p/DEBIAN/control
	echo /etc/p.conf >p/DEBIAN/conffiles
	echo x=1 >p/etc/p.conf
	for i in {1..9}; do seq "$i" 3000 >"p/usr/share/doc/p/part$i"; done
	printf '#!/bin/sh\necho the program runs\n' >p/usr/bin/p
	chmod 755 p/usr/bin/p
	chmod 1777 p/var/lib/p
	ln p/usr/bin/p p/usr/bin/p2
	ln -s ../bin/p p/usr/share/p
	find p -exec touch -h -d @1600000000 {} +
	dpkg-deb --root-owner-group -Zgzip -b p p.deb
	sha256sum p.deb
	dpkg-deb -c p.deb
	dpkg -x p.deb out
	dpkg -e p.deb out/DEBIAN
	rm -r out/DEBIAN
	# where something is made after the directory has got its time
	touch -d @1600000000 out out/usr/share
	tree out
	bytes out
	out/usr/bin/p
}

# a tree with all kinds of entries through tar and rsync, and back
archives() {
	need tar rsync sha256sum
	mkdir -p from/sub/deep from/modes from/empty
	for i in {1..6}; do seq "$i" 3000 >"from/sub/file$i"; done
	for mode in 0400 0711 1644 2755 6711; do
		echo $mode >from/modes/$mode
		chmod $mode from/modes/$mode
	done
	printf 'start' >from/sparse
	truncate -s 3M from/sparse
	printf 'end' >>from/sparse
	ln from/sub/file1 from/hard
	ln -s sub/file2 from/soft
	ln -s /no/where from/sub/dangling
	mkfifo from/fifo
	echo x >"from/sub/deep/$(printf 'n\303\244me \377\001')"
	echo y >"from/sub/deep/$(printf '%0255d' 7)"
	touch -h -d @1500000000.123456789 from/s* from/fifo from/sub/*
	touch -h -d @-1000.987654321 from/sub/deep/* from/modes/*
	touch -d @4000000000.000000001 from/sub/deep from/sub from/modes from/empty from
	tree from | tee tree.from
	bytes from | tee bytes.from
	mkdir by-tar back
	tar -C from --format=posix -S -cf archive.tar .
	tar -C by-tar -xpf archive.tar
	rsync -aHS by-tar/ by-rsync/
	tar -C by-rsync --format=posix -cf - . | tar -C back -xpf -
	rsync -aHcni --delete from/ back/ | sed 's/^/differs: /'
	tree back | diff tree.from - && bytes back | diff bytes.from - && echo 'the same'
	echo z >>from/sub/file3
	chmod 600 from/sub/file4
	rm from/sub/file5
	# rsync may leave a directory's time alone that is only less than a second off
	touch -d @1600000000.5 from/sub/file3 from/sub
	rsync -aHi --delete from/ by-rsync/
	diff <(tree from) <(tree by-rsync) && echo 'the same again'
	rm -r from by-tar by-rsync back
	ls
}

# a virtual environment with a package of its own in it
environment() {
	need /usr/bin/python3
	/usr/bin/python3 -c 'import venv' 2>/dev/null || {
		echo 'python3 has no venv'
		exit 77
	}
	/usr/bin/python3 -m venv --without-pip env
	site=$(echo env/lib/python3*/site-packages)
	mkdir "$site/pack"
	for i in {0..19}; do echo "value = $i" >"$site/pack/part$i.py"; done
	cat >"$site/pack/__main__.py" <<-'END'
		import importlib, mmap, os, sqlite3, sys, tempfile
		parts = [importlib.import_module(f"pack.part{i}") for i in range(20)]
		print(sum(part.value for part in parts), sys.prefix != sys.base_prefix)
		with tempfile.TemporaryFile() as file:
		    file.truncate(100000)
		    with mmap.mmap(file.fileno(), 0) as view:
		        view[50000:50005] = b"hello"
		        file.seek(50000)
		        print(file.read(5), view.find(b"hello"))
		print(sorted(set(part.__cached__ is not None and os.path.exists(part.__cached__) for part in parts)))
	END
	# shellcheck source=/dev/null  # made just now
	. env/bin/activate
	python -m pack
	python -m pack
	python -c 'import sys; print(sys.prefix == sys.argv[1])' "$PWD/env"
	find "$site/pack" | wc -l
}

"$case"
