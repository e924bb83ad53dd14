# What the test scripts share. A test is a line of TAP (https://testanything.org), which tests/run.pl reads:
# `ok N - NAME`, `not ok N - NAME` with what happened behind `#`, `ok N # SKIP REASON`. Sets
#
#   root         the project's folder, which is also the current one
#   BUILD        the folder of the build to test, PROGRAM its nightjar; given, or those of the release
#   sanitized    whether that is a build with a sanitizer, which is slow
#   box          an empty folder, removed at the end
#
# A script ends with end_of_tests.
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root" || exit 1
: "${BUILD:=build/release}" "${NIGHTJAR_SOAK:=}"
: "${PROGRAM:=$root/$BUILD/nightjar}"
sanitized=""
case $BUILD in *asan* | *tsan*) sanitized=yes ;; esac
export BUILD PROGRAM
box=$(mktemp -d "${TMPDIR:-/tmp}/nightjar-test.XXXXXX") || exit 1
pid="" # of a program in the background
trap '[ -z "$pid" ] || kill -9 "$pid"; chmod -R u+w "$box"; rm -rf "$box"' EXIT
trap 'exit 129' HUP INT TERM
n_tests=0 n_failed=0

pass() {
    n_tests=$((n_tests + 1))
    echo "ok $n_tests - $1"
}

# fail NAME [FILE...]: these files say why
fail() {
    n_tests=$((n_tests + 1)) n_failed=$((n_failed + 1))
    echo "not ok $n_tests - $1"
    shift
    [ $# -eq 0 ] || head -q -n 50 "$@" 2>&1 | sed 's/^/# /'
    return 1
}

skip() {
    n_tests=$((n_tests + 1))
    echo "ok $n_tests # SKIP $1"
}

# check WHAT COMMAND...: whether it ends with 0
check() {
    what=$1
    shift
    if "$@" >"$box/said" 2>&1; then
        pass "$what"
    else
        echo "$*" >>"$box/said"
        fail "$what" "$box/said"
    fi
}

end_of_tests() {
    echo "1..$n_tests"
    [ "$n_failed" -eq 0 ] && [ "$n_tests" -gt 0 ]
    exit
}

# as_nobody COMMAND...: without root's powers
as_nobody() {
    if [ "$(id -u)" -ne 0 ]; then
        "$@"
    else
        setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
    fi
}
