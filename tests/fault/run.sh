#!/bin/sh
# The real program on real SQLite files, in trouble: killed, out of disk, given nonsense. Whatever
# happens, the user's rows stay as they were and the recommendations published before are served.
# PROGRAM is the nightjar to test. run.sh [PART...]: of the parts, the other files of this folder, these
# alone. Prints a line for every failure and `N passed, N failed` last.
set -u
: "${PROGRAM:?}" "${NIGHTJAR_SOAK:=}"
here=$(cd "$(dirname "$0")" && pwd)
box=$(mktemp -d "${TMPDIR:-/tmp}/nightjar-fault.XXXXXX")
pid="" # of a run in the background
trap '[ -z "$pid" ] || kill -9 "$pid"; rm -rf "$box"' EXIT
trap 'exit 129' HUP INT TERM

. "$here/lib.sh"
for part in ${*:-determinism interruption nights bad_input environment neighbours year}; do
    # shellcheck source=/dev/null
    . "$here/$part.sh"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
