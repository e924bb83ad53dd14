#!/bin/sh
# What `make test` runs: the static checks, the suite as released, the suite again under the address
# and undefined-behaviour sanitizers, and what uses threads under the thread sanitizer. The last line
# is `N passed, N failed`.
set -u
passed=0
failed=0
output=$(mktemp)
trap 'rm -f "$output"' EXIT

# static_check TARGET
static_check() {
    if "$MAKE" --no-print-directory "$1" >"$output" 2>&1; then
        passed=$((passed + 1))
        echo "make $1: clean"
    else
        failed=$((failed + 1))
        cat "$output"
        echo "FAILED: make $1"
    fi
}

# suite VARIANT [UNIT_TESTS]: everything, or these alone
suite() {
    began=$(date +%s)
    targets=tests
    # shellcheck disable=SC2086
    [ -z "${2:-}" ] || targets=$(printf "build/$1/tests/unit/%s " $2)
    # shellcheck disable=SC2086
    if ! "$MAKE" --no-print-directory -j2 -s "VARIANT=$1" $targets >"$output" 2>&1; then
        failed=$((failed + 1))
        cat "$output"
        echo "FAILED: building $1"
        return
    fi
    code=0
    BUILD="build/$1" SUITE="${2:-}" sh tests/suite.sh >"$output" 2>&1 || code=$?
    line=$(tail -n 1 "$output")
    case "$line" in *' passed, '*' failed') ;; *) line='0 passed, 0 failed' ;; esac
    sed '$d' "$output"
    echo "$1: $line in $(($(date +%s) - began)) s"
    n_failed=$(echo "$line" | cut -d' ' -f3)
    [ "$code" -eq 0 ] || [ "$n_failed" -gt 0 ] || n_failed=1
    passed=$((passed + $(echo "$line" | cut -d' ' -f1)))
    failed=$((failed + n_failed))
}

: "${MAKE:=make}"
for target in layers format-check lint; do
    static_check "$target"
done
# freed blocks are kept from use for as long as it takes to notice one that is used
: "${ASAN_OPTIONS:=quarantine_size_mb=32}"
export ASAN_OPTIONS
suite release
suite asan
suite tsan "test_pool test_contrast test_contrast_losses test_ranking test_inverted_lists test_trainer test_item_pairs test_tower test_optimizer test_train_batch"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
