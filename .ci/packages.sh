#!/bin/sh
# Installs Debian packages where they are missing: `packages.sh` what builds and runs the program and its
# demo, `packages.sh tests` also what `make test` needs, `packages.sh soak` also what `make soak` does.
# Needs root only then (sudo is used when it is there). `packages.sh names` prints what the first two
# install.
set -eu

build="gcc make pkgconf libc6-dev libsqlite3-dev libcsv-dev libopenblas-dev libyaml-dev libcjson-dev
libxxhash-dev nettle-dev zlib1g-dev sqlite3"
# the sanitizers come with gcc; perl runs the tests, Python is the outside judge, faketime gives other clocks,
# and ranks are started by an MPI
tests="libcmocka-dev clang-format cppcheck perl python3 faketime gzip git mpi-default-dev"
# another MPI, networks of ranks (make bench-ranks), another compiler, another processor, another Debian, a
# container, a browser
soak="libmpich-dev mpich iproute2 clang nodejs node-ajv gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static mmdebstrap buildah chromium groff-base"
case "${1-}" in
'') packages=$build ;;
tests) packages="$build $tests" ;;
soak) packages="$build $tests $soak" ;;
names)
    # shellcheck disable=SC2086
    printf '%s\n' $build $tests
    exit 0
    ;;
*)
    echo "usage: packages.sh [tests|soak|names]" >&2
    exit 64
    ;;
esac

missing=""
for package in $packages; do
    status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
    case "$status" in
    "install ok installed") ;;
    *) missing="$missing $package" ;;
    esac
done
if [ -z "$missing" ]; then
    exit 0
fi
echo "installing:$missing"
run=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "packages.sh: run as root to install:$missing" >&2
        exit 77
    }
    run=sudo
fi
export DEBIAN_FRONTEND=noninteractive
$run apt-get update -qq
# shellcheck disable=SC2086
$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
