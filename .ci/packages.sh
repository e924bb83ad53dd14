#!/bin/sh
# Installs the Debian packages that the build, the demo and the tests need, when they are missing.
# Needs root only then (sudo is used when it is there).
set -eu

# build: compiler, make and the libraries; tests: cmocka, the sanitizers come with gcc, the static
# checks, the sqlite3 shell, Python for the outside judge, faketime for other clocks
PACKAGES="gcc make libc6-dev libsqlite3-dev libcsv-dev libopenblas-dev libyaml-dev libcjson-dev
libxxhash-dev nettle-dev zlib1g-dev libcmocka-dev clang-format cppcheck sqlite3 python3 faketime gzip git"

missing=""
for package in $PACKAGES; do
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
