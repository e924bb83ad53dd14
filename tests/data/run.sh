#!/bin/sh
# The shipped configurations on public data: quality, and a judge from outside. NIGHTJAR_DATA names
# the folder with the data; what is not there is skipped, visibly. PROGRAM is the nightjar to test,
# BUILD its folder: under the address sanitizer quality is left to the release build.
set -u
. "$(dirname "$0")/../support/tap.sh"
: "${NIGHTJAR_DATA:=}"
NIGHTJAR_OUT=$box
export NIGHTJAR_DATA NIGHTJAR_OUT

# have NAME FILE...: whether the files of a data set are there; says so when not
have() {
    set_name=$1
    shift
    for file in "$@"; do
        if [ ! -r "$NIGHTJAR_DATA/$file" ]; then
            skip "$set_name: no $file in the folder that NIGHTJAR_DATA names"
            return 1
        fi
    done
}

# publishes NAME [OPTIONS...]: configs/NAME.yaml runs to the end
publishes() {
    name=$1
    shift
    check "$name runs to the end" "$PROGRAM" run "configs/$name.yaml" "$@"
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

if [ -n "$sanitized" ]; then
    have movielens ml-100k.ratings.csv.gz && publishes movielens --set stages.train.epochs=3
else
    have gowalla gowalla.train.csv.gz gowalla.test.csv.gz && gowalla
    have movielens ml-100k.ratings.csv.gz && movielens
fi
end_of_tests
