#!/bin/sh
# `make bench-sequence`: the tower that reads sequences beside SASRec in PyTorch (sequence_torch.py), in
# one run on one machine: NDCG@20 on the validation part of MovieLens-100K, leave-one-out, against CPU
# seconds. Both have the same dimension, layers, negatives of a step, schedule and validation, and what
# else each does best with: nightjar its defaults, SASRec those of a handful (tests/bench/README.md) that
# validated best. nightjar's seconds are those of its whole stage train, without a tower of ids, shared
# out evenly over the epochs. Needs NIGHTJAR_DATA with ml-100k.ratings.csv.gz and, for the peer, Python 3 with
# torch and numpy (PYTHON says which); what is missing is skipped, visibly. BUILD is the build to measure.
# Leaves BUILD/sequence.tsv and BUILD/sequence.svg.
set -u
: "${BUILD:?}" "${NIGHTJAR_DATA:=}" "${PYTHON:=/usr/bin/python3}"
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$BUILD" && pwd)
log=$NIGHTJAR_DATA/ml-100k.ratings.csv.gz
if [ ! -r "$log" ]; then
    echo 'skipped: NIGHTJAR_DATA names no folder with ml-100k.ratings.csv.gz'
    exit 0
fi
box=$(mktemp -d "${TMPDIR:-/tmp}/nightjar-sequence.XXXXXX") || exit 1
trap 'rm -rf "$box"' EXIT
trap 'exit 129' HUP INT TERM

cat >"$box/walk.yaml" <<Y
pipeline: sequence
source: {database: log.db, interactions: "SELECT user_id, item_id, timestamp FROM log"}
work: {database: work.db}
stages:
  - import: {file: "$log", table: log, if_exists: replace}
  - interactions: {split: {by: leave_last, valid: 1, test: 1}}
  - negatives: {strategy: mixed, count: 8192, alpha: 0.5}
  - train: {patience: 0, sequence: {share: 1}}
Y
"$build/nightjar" run "$box/walk.yaml" --quiet --set threads=1 || exit 1
sqlite3 -batch -separator '	' "$box/work.db" "
    SELECT 'nightjar', epoch, round(epoch * (SELECT cpu_seconds FROM stage_run WHERE label = 'train') / n, 1),
        printf('%.4f', validation)
    FROM training_curve, (SELECT max(epoch) AS n FROM training_curve WHERE stage = 'train.sequence')
    WHERE stage = 'train.sequence' AND validation IS NOT NULL ORDER BY epoch" >"$build/sequence.tsv"
if "$PYTHON" -c 'import numpy, torch' 2>/dev/null; then
    sqlite3 -batch -csv "$box/log.db" 'SELECT user_id, item_id, timestamp FROM log' >"$box/log.csv"
    # threads that wait must not count as work
    OMP_WAIT_POLICY=passive "$PYTHON" "$root/tests/bench/sequence_torch.py" "$box/log.csv" \
        --epochs 30 --learning-rate 0.003 --batch 16 --weight-decay 1 | sed 's/^/SASRec	/' >>"$build/sequence.tsv"
else
    echo "skipped: the peer: $PYTHON has no torch and numpy (Debian: python3-torch)"
fi

echo "$("$build/nightjar" version | head -n 1); $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg) at the end"
awk -F '\t' -v svg="$build/sequence.svg" '
    !($1 in best) { order[++n] = $1 }
    { k = ++count[$1]; x[$1, k] = $3; y[$1, k] = $4; if ($3 > wide) wide = $3; if ($4 > high) high = $4 }
    $4 > best[$1] { best[$1] = $4; at[$1] = $2; seconds[$1] = $3 }
    END {
        print "\n| | best NDCG@20, validation | epoch | CPU seconds to it |\n|---|---|---|---|"
        for (i = 1; i <= n; i++) {
            w = order[i]
            printf "| %s | %.4f | %d | %.1f |\n", w, best[w], at[w], seconds[w]
        }
        peer = order[2]
        for (k = 1; n == 2 && k <= count["nightjar"]; k++) {
            if (y["nightjar", k] < best[peer]) continue
            printf "\nnightjar reaches the best of %s in %.1f CPU seconds, %.1f times sooner.\n", peer,
                x["nightjar", k], seconds[peer] / x["nightjar", k]
            break
        }
        split("#0a6 #c40", colour, " ")
        print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 360\" font-family=\"sans-serif\" font-size=\"12\">" >svg
        print "<path d=\"M50 20V310H620\" fill=\"none\" stroke=\"#888\"/>" >svg
        printf "<text x=\"620\" y=\"335\" text-anchor=\"end\">CPU seconds (to %d)</text>\n", wide >svg
        printf "<text x=\"8\" y=\"14\">NDCG@20 on validation (to %.3f)</text>\n", high >svg
        for (i = 1; i <= n; i++) {
            w = order[i]
            printf "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"%s\" points=\"", colour[i] >svg
            for (k = 1; k <= count[w]; k++)
                printf "%.1f,%.1f ", 50 + 570 * x[w, k] / wide, 310 - 290 * y[w, k] / high >svg
            printf "\"/><text x=\"500\" y=\"%d\" fill=\"%s\">%s</text>\n", 260 + 18 * i, colour[i], w >svg
        }
        print "</svg>" >svg
    }' "$build/sequence.tsv"
