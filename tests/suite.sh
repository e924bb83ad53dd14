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

# A line a job, `COMMAND ARGUMENTS`, the longest first: scripts, of the fault tests each part by itself, and
# C programs. No name has a blank.
list_jobs() {
    wanted tests/fault/run.sh && sh tests/fault/run.sh parts | sed 's,^,sh tests/fault/run.sh ,'
    for script in tests/data/run.sh tests/stage/planted.sh tests/cli/run.sh tests/cli/reference.sh \
        tests/cli/install.sh tests/cli/page.sh tests/cli/docs.sh; do
        wanted "$script" && echo "sh $script"
    done
    for program in "$BUILD"/tests/stage/test_* "$BUILD"/tests/unit/test_*; do
        case "$program" in *.o | *.d | *\**) continue ;; esac
        wanted "$(basename "$program")" && echo "$program"
    done
}

# at_a_time N: runs the numbered jobs of stdin, so many at a time
at_a_time() {
    # shellcheck disable=SC2016
    xargs -r -P "$1" -L 1 sh -c \
        'out=$1/$2; shift 2; "$@" >"$out" 2>&1; echo $? >"$out.code"' sh "$box"
}

# how long something takes is asked with the machine to itself
list_jobs | awk '{print NR, $0}' >"$box/jobs"
grep -v ' neighbours$' "$box/jobs" | at_a_time "$(nproc)"
grep ' neighbours$' "$box/jobs" | at_a_time 1
while read -r number job; do
    output=$box/$number
    : >>"$output"
    code=$(cat "$output.code" 2>/dev/null)
    case "$code" in '' | *[!0-9]*) code=1 ;; esac # killed, or no room to say so
    case "$job" in
    "sh "*)
        grep -a '^skipped' "$output"
        skipped=$((skipped + $(grep -a -c '^skipped' "$output")))
        count "${job#sh }" "$code" "$(number '^[0-9]+ passed')" "$(number ', [0-9]+ failed')"
        ;;
    *)
        count "$(basename "$job")" "$code" "$(number 'PASSED  \] [0-9]+ test')" \
            "$(number 'FAILED  \] [0-9]+ test')"
        ;;
    esac
done <"$box/jobs"

[ "$skipped" -gt 0 ] && echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
