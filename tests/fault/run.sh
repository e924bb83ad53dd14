#!/bin/sh
# The real program on real SQLite files, in trouble: killed, out of disk, given nonsense. Whatever
# happens, the user's rows stay as they were and the recommendations published before are served.
# PROGRAM is the nightjar to test, BUILD its folder. run.sh [PART...]: these parts alone; `run.sh parts` lists
# them, the longest first. Prints a line for every failure and `N passed, N failed` last.
set -u
parts='interruption year determinism environment nights bad_input neighbours'
if [ "$*" = parts ]; then
    printf '%s\n' $parts
    exit
fi
: "${PROGRAM:?}" "${BUILD:=}" "${NIGHTJAR_SOAK:=}"
here=$(cd "$(dirname "$0")" && pwd)
box=$(mktemp -d "${TMPDIR:-/tmp}/nightjar-fault.XXXXXX")
pid="" # of a run in the background
trap '[ -z "$pid" ] || kill -9 "$pid"; rm -rf "$box"' EXIT
trap 'exit 129' HUP INT TERM

. "$here/lib.sh"
for part in ${*:-$parts}; do
    # shellcheck source=/dev/null
    . "$here/$part.sh"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
