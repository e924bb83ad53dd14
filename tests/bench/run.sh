#!/bin/sh
# `make bench`: what nightjar takes beside bare peers that do the same work, each pair measured in
# turns within one run, as Markdown tables, which stay in BUILD/bench.md; with NIGHTJAR_DATA also the
# whole pipeline on Gowalla, beside the same with plain loops in place of OpenBLAS and the vector
# kernels: a Recall@20 that differs by more than 0.0005 is a failure.
# CPU seconds of all threads with those on the clock behind them, the least of several rounds: on a
# machine that is shared with others the clock says little, and even CPU seconds vary by some 10 %.
# Ratios are of CPU seconds; peak memory is that of a process that does it once. BUILD is the build to
# measure.
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

# least FILE: "CPU wall MiB" of its line with the least CPU seconds
least() {
    sort -n "$1" | head -n 1
}

# beside WHAT PEER WORK UNIT: the row of box/own and box/peer; WORK is what one run does, in UNIT
beside() {
    awk -v what="$1" -v other="$2" -v work="$3" -v unit="$4" -v own="$(least "$box/own")" \
        -v peer="$(least "$box/peer")" 'BEGIN {
        split(own, o, " "); split(peer, p, " ")
        printf "| %s | %s | %.3f (%.3f) | %.3f (%.3f) | %.2f | %.0f (%.0f)", what, other, o[1], o[2],
            p[1], p[2], o[1] / p[1], o[3], p[3]
        printf " | %.1f %s (%.1f) |\n", work / o[1], unit, work / p[1] }'
}

# The machine and what is linked: figures without them say nothing.
machine() {
    "$program" version | sed ':a; N; $!ba; s/\n/; /g' | sed -E 's/ (NO_|DYNAMIC_)[A-Z_]+//g'
    sed -n 's/^model name[^:]*: */CPU: /p' /proc/cpuinfo | head -n 1
    echo "$(nproc) cores, $(awk '/^MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo) of memory, load" \
        "$(cut -d' ' -f1 /proc/loadavg) at the start"
}

# The same shop with TEXT ids.
bench_text_ids() {
    sqlite3 -batch "$box/text.db" "ATTACH '$box/shop.db' AS shop;
        CREATE TABLE events AS SELECT event_id, printf('user-%08d', user_id) AS user_id,
            printf('item-%06d', item_id) AS item_id, event, created_at FROM shop.events" || exit 1
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
    beside "importing $events CSV rows, checked" 'sqlite3 .import --csv, not checked' $((events / 1000000)) 'M rows/s'
}

# The exact top-k of all users beside faiss, both on all cores; three rounds in turns.
bench_topk() {
    python=""
    for candidate in python3 /usr/bin/python3; do
        if "$candidate" -c 'import faiss' 2>/dev/null; then python=$candidate; fi
    done
    if [ -z "$python" ]; then
        echo '| exact top 20 | faiss IndexFlatIP: not here (Debian: python3-faiss) | | | | | |'
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
        # shellcheck disable=SC2086
        set -- $shape
        beside "exact top $4, $1 x $2, d = $3, seen excluded" 'faiss IndexFlatIP, nothing excluded' \
            "$1" users/s
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
        split(own, o, " "); split(peer, p, " ")
        printf "| with plain loops in place of OpenBLAS and the vector kernels | %.1f (%.1f) | %.0f |\n",
            p[1], p[2], p[3]
        printf "| ... times the CPU seconds | %.1f | |\n", p[1] / o[1]
        printf "| ... recall@20 | %.4f | |\n", plain
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
    echo '| Gowalla, from CSV to published recommendations | CPU s (wall) | peak MiB |'
    echo '|---|---|---|'
    awk '{printf "| configs/gowalla.yaml | %.1f (%.1f) | %.0f |\n", $1, $2, $3}' "$box/gowalla"
    for name in recall@20 ndcg@20; do
        echo "| ... $name on test (item-item, popularity) | $(metric $name nightjar)" \
            "($(metric $name item_item), $(metric $name popularity)) | |"
    done
    bench_quality_line
}

exec 3>&1 >"$BUILD/bench.md"
trap 'rm -rf "$box"; cat "$BUILD/bench.md" >&3' EXIT
echo "\`make bench\`$([ -z "$NIGHTJAR_DATA" ] || echo ' with NIGHTJAR_DATA'):"
machine
echo
echo '| nightjar | the peer | CPU s (wall) | its CPU s (wall) | ratio | peak MiB (its) | rate per CPU s (its) |'
echo '|---|---|---|---|---|---|---|'
"$tools/bench_kernel" || exit 1
"$program" generate "$box/shop.db" --until 2026-01-01 --users 20000 --items 5000 --events "$events" --quiet || exit 1
bench_import
bench_text_ids
"$tools/bench_store" "$box/shop.db" "$box/text.db" "$box" || exit 1
bench_topk
"$tools/bench_step" || exit 1
bench_threads
rm -f "$box"/*.db "$box/events.csv"
bench_gowalla
