#!/bin/sh
# Runs the test suite of one build (BUILD=build/VARIANT) and prints `N passed, N failed` last.
# Scripts (tests/cli, tests/fault, tests/data, tests/stage/*.sh) print such a line themselves.
# SUITE: space-separated names limit what is run. NIGHTJAR_SOAK=1: every repetition in full.
set -u
: "${BUILD:?}" "${SUITE:=}"
PROGRAM=$(cd "$BUILD" && pwd)/nightjar
export BUILD PROGRAM
passed=0
failed=0
skipped=0
box=$(mktemp -d)
output=$box/script
trap 'rm -rf "$box"' EXIT

# wanted NAME: is it part of this run?
wanted() {
    [ -z "$SUITE" ] && return 0
    case " $SUITE " in *" $1 "*) return 0 ;; esac
    return 1
}

# number PATTERN: the first number of the last line that matches, 0 when none does
number() {
    line=$(grep -a -E "$1" "$output" | tail -n 1 | sed -E "s/.*($1).*/\1/" | grep -o '[0-9][0-9]*' | head -n 1)
    echo "${line:-0}"
}

# count NAME CODE PASSED FAILED
count() {
    passed=$((passed + $3))
    failed=$((failed + $4))
    if [ "$2" -ne 0 ] || [ "$4" -ne 0 ]; then
        [ "$4" -eq 0 ] && failed=$((failed + 1))
        cat "$output"
        echo "FAILED: $1 (exit $2)"
    fi
}

# the C programs, as many at a time as there are cores
for program in "$BUILD"/tests/unit/test_* "$BUILD"/tests/stage/test_*; do
    case "$program" in *.o | *.d | *\**) continue ;; esac
    wanted "$(basename "$program")" && echo "$program"
done >"$box/programs"
# shellcheck disable=SC2016
xargs -r -P "$(nproc)" -I PROGRAM sh -c \
    'out=$1/$(basename "$2"); "$2" >"$out" 2>&1; echo $? >"$out.code"' sh "$box" PROGRAM <"$box/programs"
while read -r program; do
    name=$(basename "$program")
    output=$box/$name
    count "$name" "$(cat "$output.code" 2>/dev/null || echo 1)" "$(number 'PASSED  \] [0-9]+ test')" \
        "$(number 'FAILED  \] [0-9]+ test')"
done <"$box/programs"
output=$box/script

for script in tests/cli/run.sh tests/cli/reference.sh tests/cli/install.sh tests/cli/page.sh tests/stage/planted.sh \
    tests/fault/run.sh tests/data/run.sh; do
    [ -f "$script" ] && wanted "$script" || continue
    sh "$script" >"$output" 2>&1
    code=$?
    grep -a '^skipped' "$output"
    skipped=$((skipped + $(grep -a -c '^skipped' "$output")))
    count "$script" "$code" "$(number '^[0-9]+ passed')" "$(number ', [0-9]+ failed')"
done

[ "$skipped" -gt 0 ] && echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
