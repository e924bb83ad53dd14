#!/bin/sh
# `make bench-threads`: what two threads are worth. The same run on one and on two threads in turn, ROUNDS times
# (default: 5), over EVENTS thousand events (default: 1000; a fiftieth of them are users, a hundredth items):
# seconds on the clock of the stages that use threads, one thread's over two threads', of the best and of the median
# rounds, and whether the same rows came out. Neighbours on the machine show in the median. BUILD is the build to
# measure.
set -u
: "${BUILD:?}" "${EVENTS:=1000}" "${ROUNDS:=5}"
program=$(cd "$BUILD" && pwd)/nightjar
box=$(mktemp -d "${TMPDIR:-/tmp}/nightjar-threads.XXXXXX") || exit 1
trap 'rm -rf "$box"' EXIT
trap 'exit 129' HUP INT TERM

cat >"$box/threads.yaml" <<'YAML'
pipeline: threads
source: {database: shop.db, interactions: "SELECT user_id, item_id, event, created_at FROM events"}
work: {database: work.db}
output: {database: out.db}
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
"$program" generate "$box/shop.db" --until 2026-01-01 --events "${EVENTS}000" --users $((EVENTS * 20)) --items $((EVENTS * 10)) \
    --days 365 --quiet || exit 1

round=1
while [ "$round" -le "$ROUNDS" ]; do
    for threads in 1 2; do
        rm -f "$box"/work.db* "$box"/out.db*
        "$program" run "$box/threads.yaml" --set threads=$threads || exit 1
        sqlite3 -batch -separator ' ' "$box/work.db" "SELECT label, $threads, seconds FROM stage_run
            WHERE label IN ('train', 'refit', 'recommend') ORDER BY position" >>"$box/rows"
        sqlite3 -batch "$box/out.db" 'SELECT checksum FROM nightjar_generations' >>"$box/checksums"
    done
    round=$((round + 1))
done

echo "$("$program" version | head -n 1); $(nproc) cores; $EVENTS thousand events, $ROUNDS rounds"
echo
echo '| stage | one thread, best (median) | two threads | one over two |'
echo '|---|---|---|---|'
sort -k1,1 -k2,2 -k3,3g "$box/rows" | awk '
    {n[$1, $2]++; seconds[$1, $2, n[$1, $2]] = $3}
    function best(stage, threads) {return seconds[stage, threads, 1]}
    function median(stage, threads,    k) {
        k = n[stage, threads]
        return (seconds[stage, threads, int((k + 1) / 2)] + seconds[stage, threads, int(k / 2) + 1]) / 2
    }
    END {
        split("train refit recommend", stages, " ")
        for (s = 1; s <= 3; s++) {
            stage = stages[s]
            printf "| %s | %.2f s (%.2f) | %.2f s (%.2f) | %.2f (%.2f) |\n", stage, best(stage, 1), median(stage, 1),
                best(stage, 2), median(stage, 2), best(stage, 1) / best(stage, 2),
                median(stage, 1) / median(stage, 2)
        }
    }'
echo
if [ "$(sort -u "$box/checksums" | wc -l)" -ne 1 ]; then
    echo 'FAILED: not every run published the same rows'
    exit 1
fi
echo 'every run published the same rows'
