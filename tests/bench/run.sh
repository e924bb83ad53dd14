#!/bin/sh
# `make bench`: what nightjar takes beside bare peers that do the same work, each pair measured in
# turns within one run, as Markdown tables, which stay in BUILD/bench.md; with NIGHTJAR_DATA also the
# whole pipeline on Gowalla, beside the same with plain loops in place of OpenBLAS and the vector
# kernels: a Recall@20 that differs by more than 0.0005 is a failure.
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

# The exact top-k of all users beside faiss, both on all cores; three rounds in turns.
bench_topk() {
    python=""
    for candidate in python3 /usr/bin/python3; do
        if "$candidate" -c 'import faiss' 2>/dev/null; then python=$candidate; fi
    done
    if [ -z "$python" ]; then
        echo '| exact top 20 | faiss IndexFlatIP: not here (Debian: python3-faiss) | | | | |'
        return
    fi
    for shape in "30000 41000 64 20" "100000 100000 64 20"; do
        rm -f "$box/own" "$box/peer"
        for round in 1 2 3; do
            # shellcheck disable=SC2086
            "$tools/bench_topk" $shape >>"$box/own" || exit 1
            # shellcheck disable=SC2086
            "$python" "$root/tests/bench/topk_faiss.py" $shape >>"$box/peer" || exit 1
        done
        awk -v shape="$shape" -v own="$(least "$box/own")" -v peer="$(least "$box/peer")" 'BEGIN {
            split(shape, s, " ")
            printf "| exact top %d, %d x %d, d = %d, seen excluded | faiss IndexFlatIP, nothing excluded", s[4],
                s[1], s[2], s[3]
            printf " | %.1f | %.1f | %.2f | %.0f users/s (%.0f) |\n", own, peer, own / peer, s[1] / own,
                s[1] / peer }'
    done
}

# One thread and two: wall clock of the stages that use threads, and that the rows are the same.
bench_threads() {
    cat >"$box/threads.yaml" <<'YAML'
pipeline: threads
source: {database: shop.db, interactions: "SELECT user_id, item_id, event, created_at FROM events"}
stages:
  - interactions: {split: {by: time, valid: 7d, test: 7d}}
  - pairs: {item_item: {window: 7d, top: 50}, evidence: {top: 200}}
  - negatives: {strategy: mixed, count: 8192, alpha: 0.5}
  - train: {dimension: 64, epochs: 5, patience: 0, co_interaction: {weight: 0.1}}
  - calibrate: {}
  - refit: {}
  - recommend: {top: 50}
  - publish: {}
YAML
    echo
    echo '| stage, a million events | one thread, s | two, s | ratio |'
    echo '|---|---|---|---|'
    for threads in 1 2; do
        "$program" run "$box/threads.yaml" --set threads=$threads --set "work.database=$box/threads.$threads" \
            --set "output.database=$box/rows.$threads" || exit 1
    done
    sqlite3 -batch "$box/threads.1" "ATTACH '$box/threads.2' AS two;
        SELECT printf('| %s | %.2f | %.2f | %.2f |', a.label, a.seconds, b.seconds, a.seconds / b.seconds)
        FROM stage_run AS a JOIN two.stage_run AS b USING (label) WHERE a.label IN
        ('pairs', 'train', 'calibrate', 'refit', 'recommend') ORDER BY a.position"
    same=$(for threads in 1 2; do
        sqlite3 -batch "$box/rows.$threads" 'SELECT checksum FROM nightjar_generations'
    done | sort -u | wc -l)
    [ "$same" -eq 1 ] && echo '| every published row | | | the same |' || {
        echo 'failed: two threads publish other rows than one' >&2
        exit 1
    }
}

metric() {
    sqlite3 -batch "$box/gowalla.db" "SELECT printf('%.4f', value) FROM nightjar_metrics
        WHERE name = '$1' AND model = '$2' AND \"group\" = 'all'"
}

# What the fast kernels are worth, and that they cost no quality: the same run with plain ones.
bench_quality_line() {
    fast=$(metric recall@20 nightjar)
    rm -f "$box"/gowalla.*db*
    NIGHTJAR_OUT=$box measured "$box/plain" "$BUILD/nightjar_plain" run "$root/configs/gowalla.yaml"
    plain=$(metric recall@20 nightjar)
    awk -v fast="$fast" -v plain="$plain" -v own="$(least "$box/gowalla")" \
        -v peer="$(least "$box/plain")" 'BEGIN {
        printf "| with plain loops in place of OpenBLAS and the vector kernels: CPU seconds | %.1f (%.1f x) |\n",
            peer, peer / own
        printf "| recall@20 with plain loops | %.4f |\n", plain
        difference = fast > plain ? fast - plain : plain - fast
        exit difference > 0.0005 }' || {
        echo "failed: the quality line: recall@20 is $fast, with plain loops $plain" >&2
        exit 1
    }
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
    bench_quality_line
}

exec 3>&1 >"$BUILD/bench.md"
trap 'rm -rf "$box"; cat "$BUILD/bench.md" >&3' EXIT
echo "$("$program" version | head -n 1); $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg) at the start"
echo
echo '| nightjar | the peer | CPU s | its CPU s | ratio | rate per CPU s (its) |'
echo '|---|---|---|---|---|---|'
"$tools/bench_kernel" || exit 1
"$program" generate "$box/shop.db" --users 20000 --items 5000 --events "$events" --quiet || exit 1
bench_import
"$tools/bench_store" "$box/shop.db" "$box" || exit 1
bench_topk
bench_threads
rm -f "$box"/*.db "$box/events.csv"
bench_gowalla
