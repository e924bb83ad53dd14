#!/bin/sh
# The shipped configurations on public data: quality, and a judge from outside. NIGHTJAR_DATA names
# the folder with the data; what is not there is skipped, visibly. PROGRAM is the nightjar to test,
# BUILD its folder: under the address sanitizer quality is left to the release build. Prints a line
# for every failure and `N passed, N failed` last.
set -u
: "${PROGRAM:?}" "${BUILD:=}" "${NIGHTJAR_DATA:=}"
NIGHTJAR_OUT=$(mktemp -d "${TMPDIR:-/tmp}/nightjar-data.XXXXXX")
export NIGHTJAR_DATA NIGHTJAR_OUT
trap 'rm -rf "$NIGHTJAR_OUT"' EXIT
trap 'exit 129' HUP INT TERM
cd "$(dirname "$0")/../.." || exit 1
passed=0
failed=0

# check WHAT TEST...
check() {
    what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $what: $*"
    fi
}

# have NAME FILE...: whether the files of a data set are there; says so when not
have() {
    set_name=$1
    shift
    for file in "$@"; do
        if [ ! -r "$NIGHTJAR_DATA/$file" ]; then
            echo "skipped: $set_name: no $file in the folder that NIGHTJAR_DATA names"
            return 1
        fi
    done
}

# publishes NAME [OPTIONS...]: configs/NAME.yaml runs to the end
publishes() {
    name=$1
    shift
    code=0
    "$PROGRAM" run "configs/$name.yaml" "$@" 2>"$NIGHTJAR_OUT/err" || code=$?
    check "$name: exit code" [ "$code" -eq 0 ]
    cat "$NIGHTJAR_OUT/err"
    [ "$code" -eq 0 ]
}

# metric NAME METRIC MODEL: its value over all users, as published
metric() {
    sqlite3 "$NIGHTJAR_OUT/$1.db" "SELECT printf('%.5f', value) FROM nightjar_metrics
        WHERE name = '$2' AND model = '$3' AND \"group\" = 'all'"
}

# at_least VALUE BOUND, above VALUE BOUND: decimal numbers
at_least() {
    awk -v a="$1" -v b="$2" 'BEGIN {exit !(a != "" && b != "" && a + 0 >= b + 0)}'
}
above() {
    awk -v a="$1" -v b="$2" 'BEGIN {exit !(a != "" && b != "" && a + 0 > b + 0)}'
}

gowalla() {
    publishes gowalla || return
    recall=$(metric gowalla recall@20 nightjar)
    ndcg=$(metric gowalla ndcg@20 nightjar)
    check 'gowalla: recall@20' at_least "$recall" 0.175
    judged=$(python3 tests/support/judge.py "$NIGHTJAR_OUT/gowalla.db" \
        "$NIGHTJAR_DATA/gowalla.train.csv.gz" "$NIGHTJAR_DATA/gowalla.test.csv.gz")
    check 'gowalla: the judge from outside' \
        [ "$judged" = "recall@20 $recall ndcg@20 $ndcg" ]
}

movielens() {
    publishes movielens || return
    ndcg=$(metric movielens ndcg@20 nightjar)
    for baseline in popularity item_item; do
        check "movielens: ndcg@20 over $baseline" \
            above "$ndcg" "$(metric movielens ndcg@20 "$baseline")"
    done
}

sanitized=""
case $BUILD in *asan* | *tsan*) sanitized=yes ;; esac
if [ -n "$sanitized" ]; then
    echo 'skipped: gowalla: slow under a sanitizer'
    have movielens ml-100k.ratings.csv.gz && publishes movielens --set stages.train.epochs=3
else
    have gowalla gowalla.train.csv.gz gowalla.test.csv.gz && gowalla
    have movielens ml-100k.ratings.csv.gz && movielens
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
