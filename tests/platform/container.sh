#!/bin/sh
# .ci/Containerfile names no package by itself: what builds comes from packages.sh, what runs from the
# package that `make deb` makes. Under NIGHTJAR_SOAK it is built and asked, on a base of mmdebstrap's, where
# buildah can.
set -u
. "$(dirname "$0")/../support/tap.sh"
file=.ci/Containerfile
images="buildah --root $box/images --runroot $box/run --storage-driver vfs"

base() {
    mmdebstrap -q --variant=minbase bookworm "$box/base.tar" &&
        container=$($images from scratch) && $images add -q "$container" "$box/base.tar" &&
        $images commit -q "$container" localhost/base
}

# answer PATTERN COMMAND...: in the container
answers() {
    pattern=$1
    shift
    $images run --isolation chroot "$container" -- "$@" | grep -E "$pattern"
}

check 'what builds is installed by packages.sh' grep -qx 'RUN sh .ci/packages.sh' "$file"
check 'and nothing else' test "$(grep -c 'packages.sh$' "$file")" = 2
check 'what runs is installed by our package' grep -q 'apt-get install [-a-z ]* /tmp/nightjar_\*.deb \\$' "$file"
check 'and nothing else' test "$(grep -c 'apt-get install' "$file")" = 1
if [ -z "$NIGHTJAR_SOAK" ]; then
    end_of_tests
fi
if ! command -v buildah >/dev/null || ! command -v mmdebstrap >/dev/null; then
    skip 'the container: no buildah or mmdebstrap (sh .ci/packages.sh soak)'
elif ! base >"$box/said" 2>&1; then
    skip "the container: $(tail -n 1 "$box/said")"
else
    # shellcheck disable=SC2086
    check 'it builds' $images bud --isolation chroot --build-arg DEBIAN=localhost/base -t nightjar -f "$file" .
    container=$($images from localhost/nightjar)
    check 'the program runs' answers '^nightjar [0-9]' nightjar version
    check 'as an ordinary user' answers '^1000$' id -u
    check 'who writes to the volume' answers 'shop.db' sh -c 'nightjar generate /data/shop.db >/dev/null && ls /data'
fi
end_of_tests
