#!/bin/sh
# The same program from elsewhere: built in two folders it is one file, byte by byte; gcc and clang are both
# without a warning and publish the same rows of the demo. BUILD is left alone.
set -u
. "$(dirname "$0")/../support/tap.sh"

# copy FOLDER: the sources alone
copy() {
    mkdir -p "$1" && tar --exclude=./build --exclude=./.git -c . | tar -x -C "$1"
}

# build FOLDER ARGUMENTS...
build() {
    folder=$1
    shift
    make --no-print-directory -s -C "$folder" -j"$(nproc)" "$@"
}

# rows PROGRAM: what it recommends on the demo
rows() {
    NIGHTJAR_DEMO=$box/demo.db
    export NIGHTJAR_DEMO
    rm -f "$NIGHTJAR_DEMO"*
    "$1" generate "$NIGHTJAR_DEMO" --until 2026-01-01 >/dev/null && "$1" run configs/demo.yaml >/dev/null 2>&1 &&
        sqlite3 -batch "$NIGHTJAR_DEMO" 'SELECT user_id, rank, item_id, score FROM recommendations ORDER BY 1, 2'
}

check 'a copy' copy "$box/one"
check 'another copy' copy "$box/two/of another length"
check 'gcc builds the first' build "$box/one" CC=gcc
check 'gcc builds the second' build "$box/two/of another length" CC=gcc
check 'two folders, one program' cmp "$box/one/build/release/nightjar" "$box/two/of another length/build/release/nightjar"
if command -v clang >/dev/null; then
    check 'clang builds program and tests' build "$box/one" CC=clang BUILD=build/clang all tests
    rows "$box/one/build/release/nightjar" >"$box/gcc"
    rows "$box/one/build/clang/nightjar" >"$box/clang"
    check 'gcc and clang publish the same rows' cmp "$box/gcc" "$box/clang"
    check 'which are rows' test -s "$box/gcc"
else
    skip 'no clang (sh .ci/packages.sh soak)'
fi
end_of_tests
