#!/bin/sh
# `make deb`: a Debian package of the program into the folder $1, out of `make install`, with an
# example in /etc/nightjar for the service.
set -eu
: "${PROGRAM:?}" "${MAKE:=make}"
out=$1
box=$(mktemp -d "${TMPDIR:-/tmp}/nightjar-deb.XXXXXX")
trap 'rm -rf "$box"' EXIT
version=$("$PROGRAM" version | sed -n 's/^nightjar //p')
date=$(sed -n 's/.*NIGHTJAR_DATE "\(.*\)"/\1/p' pipeline/commands/version.h)
architecture=$(dpkg --print-architecture)
"$MAKE" --no-print-directory install PREFIX=/usr DESTDIR="$box/root" >/dev/null
gzip -9n "$box/root/usr/share/man/man1/nightjar.1"
pages=$box/root/usr/share/doc/nightjar

# who maintains a package is whoever makes it: DEBFULLNAME and DEBEMAIL say so, as for Debian's own tools
maintainer="${DEBFULLNAME:-Whoever made this package} <${DEBEMAIL:-unknown@example.invalid}>"
cat >"$pages/copyright" <<COPYRIGHT
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: nightjar

Files: *
$(sed -n 's/^Copyright (c)/Copyright:/p' LICENSE)
License: Expat
$(sed '1,/^Copyright/d; /^$/d; s/^/ /' LICENSE)
COPYRIGHT
cat >"$box/changelog" <<CHANGELOG
nightjar ($version) unstable; urgency=medium

  * See the history of the sources.

 -- $maintainer  $(date -R -u -d "$date")
CHANGELOG
gzip -9nc "$box/changelog" >"$pages/changelog.gz"

# the example of the service: what is relative in it stands where the service may write
mkdir -p "$box/root/etc/nightjar"
state='${STATE_DIRECTORY:-/var/lib/nightjar}'
sed -e "s,\$schema=.*,\$schema=/usr/share/doc/nightjar/schemas/pipeline.schema.json," \
    -e "s,database: shop.db,database: $state/shop.db," -e "s,database: reco.db,database: $state/reco.db," \
    -e "s,path: nightly.html,path: \"$state/nightly.html\"," \
    -e "s,^stages:,work:\n  database: $state/nightly.work.db\nstages:," \
    configs/nightly.yaml >"$box/root/etc/nightjar/nightly.yaml"

# what the program is linked with, by the versions that have what it calls where dpkg-dev can tell
mkdir "$box/debian" "$box/root/DEBIAN"
printf 'Source: nightjar\n\nPackage: nightjar\nArchitecture: any\n' >"$box/debian/control"
if command -v dpkg-shlibdeps >/dev/null; then
    depends=$(cd "$box" && dpkg-shlibdeps -O root/usr/bin/nightjar 2>/dev/null | sed 's/^shlibs:Depends=//')
else
    depends=$(ldd "$PROGRAM" | sed -nE 's/.* => ([^ ]+) .*/\1/p' | while read -r library; do
        # dpkg knows a library by the path it was installed at, which may be without the /usr
        dpkg -S "$(readlink -f "$library")" 2>/dev/null || dpkg -S "$library" 2>/dev/null ||
            dpkg -S "${library#/usr}" 2>/dev/null || true
    done | sed 's/:.*//' | sort -u | paste -s -d, | sed 's/,/, /g')
fi
echo /etc/nightjar/nightly.yaml >"$box/root/DEBIAN/conffiles"
cat >"$box/root/DEBIAN/control" <<CONTROL
Package: nightjar
Version: $version
Architecture: $architecture
Maintainer: $maintainer
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
