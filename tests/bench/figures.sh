#!/bin/sh
# The figures of the README's tables: a configuration run with several seeds, and the mean and the
# spread of each metric over all users.
#
#     NIGHTJAR_DATA=folder PROGRAM=build/release/nightjar tests/bench/figures.sh CONFIG [--set ...]
#
# SEEDS ("1 2 3") are run one after the other, each from an empty folder. Prints Markdown rows:
# model | metric | mean | least to greatest, then the seconds.
set -u
: "${PROGRAM:?}" "${SEEDS:=1 2 3}"
[ $# -ge 1 ] || {
    echo 'usage: figures.sh CONFIG [--set PATH=VALUE ...]' >&2
    exit 64
}
config=$1
shift
box=$(mktemp -d "${TMPDIR:-/tmp}/nightjar-figures.XXXXXX") || exit 1
trap 'rm -rf "$box"' EXIT
trap 'exit 129' HUP INT TERM

for seed in $SEEDS; do
    mkdir "$box/run"
    NIGHTJAR_OUT="$box/run" "$PROGRAM" run "$config" --quiet --set "seed=$seed" "$@" || exit 1
    for work in "$box"/run/*.work.db; do
        sqlite3 -batch -separator ' ' "$work" \
            "SELECT model, name, value FROM run_metric WHERE grp = 'all' AND model <> 'data'
                AND run = (SELECT max(run) FROM run) AND (name LIKE 'recall@%' OR name LIKE 'ndcg@%'
                OR name LIKE 'hit@%');
             SELECT 'seconds', 'cpu', sum(cpu_seconds) FROM stage_run;
             SELECT 'seconds', 'wall', sum(seconds) FROM stage_run" >>"$box/values"
    done
    rm -rf "$box/run"
done

echo "| model | metric | mean of seeds $SEEDS | least to greatest |"
echo '|---|---|---|---|'
awk '{
        key = $1 " | " $2
        if (!(key in n)) { order[++keys] = key; low[key] = high[key] = $3 }
        n[key]++
        sum[key] += $3
        if ($3 < low[key]) low[key] = $3
        if ($3 > high[key]) high[key] = $3
    }
    END {
        for (k = 1; k <= keys; k++) {
            key = order[k]
            format = key ~ /^seconds/ ? "| %s | %.0f | %.0f to %.0f |\n" : "| %s | %.4f | %.4f to %.4f |\n"
            printf format, key, sum[key] / n[key], low[key], high[key]
        }
    }' "$box/values"
