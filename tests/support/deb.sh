#!/bin/sh
# `make deb`: a Debian package of the program into the folder $1, out of `make install`. Its
# dependencies are the packages that own the libraries which the program is linked with.
set -eu
: "${PROGRAM:?}" "${MAKE:=make}"
out=$1
box=$(mktemp -d "${TMPDIR:-/tmp}/nightjar-deb.XXXXXX")
trap 'rm -rf "$box"' EXIT
version=$("$PROGRAM" version | sed -n 's/^nightjar //p')
architecture=$(dpkg --print-architecture)
depends=$(ldd "$PROGRAM" | sed -nE 's/.* => ([^ ]+) .*/\1/p' | while read -r library; do
    # dpkg knows a library by the path it was installed at, which may be without the /usr
    dpkg -S "$(readlink -f "$library")" 2>/dev/null || dpkg -S "$library" 2>/dev/null ||
        dpkg -S "${library#/usr}" 2>/dev/null || true
done | sed 's/:.*//' | sort -u | paste -s -d, | sed 's/,/, /g')
"$MAKE" --no-print-directory install PREFIX=/usr DESTDIR="$box/root" >/dev/null
gzip -9n "$box/root/usr/share/man/man1/nightjar.1"
mkdir "$box/root/DEBIAN"
cat >"$box/root/DEBIAN/control" <<CONTROL
Package: nightjar
Version: $version
Architecture: $architecture
Maintainer: the nightjar founders <nightjar@localhost>
Installed-Size: $(du -sk "$box/root" | cut -f 1)
Depends: $depends
Section: database
Priority: optional
Description: nightly recommender over SQLite
 Reads a log of interactions from an SQLite database, trains a user tower and
 an item tower contrastively, and writes recommendations and embeddings back.
CONTROL
mkdir -p "$out"
dpkg-deb --root-owner-group --build "$box/root" "$out/nightjar_${version}_$architecture.deb" >/dev/null
echo "$out/nightjar_${version}_$architecture.deb"
