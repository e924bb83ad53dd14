#!/bin/sh
# `make bench`: what nightjar takes beside bare peers that do the same work, each pair measured in
# turns within one run, as a Markdown table; with NIGHTJAR_DATA also the whole pipeline on Gowalla.
# CPU seconds of all threads, the least of several rounds: on a machine that is shared with others
# wall clock says little, and even CPU seconds vary by some 10 %. BUILD is the build to measure.
set -u
: "${BUILD:?}" "${NIGHTJAR_DATA:=}"
root=$(cd "$(dirname "$0")/../.." && pwd)
program=$(cd "$BUILD" && pwd)/nightjar
tools=$(cd "$BUILD" && pwd)/tests/bench
box=$(mktemp -d "${TMPDIR:-/tmp}/nightjar-bench.XXXXXX") || exit 1
trap 'rm -rf "$box"' EXIT
trap 'exit 129' HUP INT TERM
events=1000000

# measured FILE COMMAND...: adds "CPU wall MiB" of the command to FILE
measured() {
    file=$1
    shift
    "$tools/bench_command" "$@" >>"$file" || {
        echo "failed: $*" >&2
        exit 1
    }
}

least() {
    sort -n "$1" | head -n 1 | cut -d' ' -f1
}

bench_import() {
    sqlite3 -batch -csv -header "$box/shop.db" \
        'SELECT user_id, item_id, event, created_at FROM events' >"$box/events.csv"
    for round in 1 2 3; do
        rm -f "$box"/own.db* "$box"/peer.db*
        measured "$box/own" "$program" import "$box/events.csv" "$box/own.db" events --quiet \
            --type user_id=integer --type item_id=integer --type created_at=integer
        measured "$box/peer" sqlite3 -batch "$box/peer.db" \
            'CREATE TABLE events(user_id INTEGER, item_id INTEGER, event TEXT, created_at INTEGER)' \
            ".import --csv --skip 1 $box/events.csv events"
    done
    for made in own peer; do
        [ "$(sqlite3 -batch "$box/$made.db" 'SELECT count(*) FROM events')" = "$events" ] || {
            echo "failed: the import of $made" >&2
            exit 1
        }
    done
    awk -v own="$(least "$box/own")" -v peer="$(least "$box/peer")" -v rows="$events" 'BEGIN {
        printf "| importing %d CSV rows, checked | sqlite3 .import --csv, not checked", rows
        printf " | %.3f | %.3f | %.2f | %.1f M rows/s (%.1f) |\n", own, peer, own / peer,
            rows / own / 1e6, rows / peer / 1e6 }'
}

metric() {
    sqlite3 -batch "$box/gowalla.db" "SELECT printf('%.4f', value) FROM nightjar_metrics
        WHERE name = '$1' AND model = '$2' AND \"group\" = 'all'"
}

bench_gowalla() {
    echo
    if [ ! -f "$NIGHTJAR_DATA/gowalla.train.csv.gz" ]; then
        echo "skipped: the pipeline on Gowalla: NIGHTJAR_DATA names no folder with gowalla.train.csv.gz"
        return
    fi
    export NIGHTJAR_DATA
    NIGHTJAR_OUT=$box measured "$box/gowalla" "$program" run "$root/configs/gowalla.yaml"
    echo '| Gowalla, from CSV to published recommendations | |'
    echo '|---|---|'
    awk '{printf "| CPU seconds | %.1f |\n| wall seconds | %.1f |\n| peak memory | %.0f MiB |\n",
        $1, $2, $3}' "$box/gowalla"
    for name in recall@20 ndcg@20; do
        echo "| $name on test (item-item, popularity) | $(metric $name nightjar)" \
            "($(metric $name item_item), $(metric $name popularity)) |"
    done
}

echo "$("$program" version | head -n 1); $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg) at the start"
echo
echo '| nightjar | the peer | CPU s | its CPU s | ratio | rate per CPU s (its) |'
echo '|---|---|---|---|---|---|'
"$tools/bench_kernel" || exit 1
"$program" generate "$box/shop.db" --users 20000 --items 5000 --events "$events" --quiet || exit 1
bench_import
"$tools/bench_store" "$box/shop.db" "$box" || exit 1
rm -f "$box"/*.db "$box/events.csv"
bench_gowalla
