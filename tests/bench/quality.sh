#!/bin/sh
# `make bench-quality`: quality against CPU seconds on Gowalla, nightjar beside the two-tower training
# that people write in PyTorch (quality_torch.py: in-batch softmax with logQ correction), in one run
# on one machine. Every point is a whole night: reading, choosing on validation, training on
# everything, lists of all users, judged once on the test part; beside it the one training on everything
# alone. Needs NIGHTJAR_DATA with
# gowalla.{train,test}.csv.gz and, for the peer, Python 3 with torch and numpy (PYTHON says which);
# what is missing is skipped, visibly. BUILD is the build to measure. Leaves BUILD/quality.tsv.
set -u
: "${BUILD:?}" "${NIGHTJAR_DATA:=}" "${PYTHON:=/usr/bin/python3}" "${THREADS:=2}" "${PEER_EPOCHS:=1,2,4,8}"
root=$(cd "$(dirname "$0")/../.." && pwd)
program=$(cd "$BUILD" && pwd)/nightjar
table=$(cd "$BUILD" && pwd)/quality.tsv
train=$NIGHTJAR_DATA/gowalla.train.csv.gz
test=$NIGHTJAR_DATA/gowalla.test.csv.gz
if [ ! -r "$train" ] || [ ! -r "$test" ]; then
    echo 'skipped: NIGHTJAR_DATA names no folder with gowalla.train.csv.gz and gowalla.test.csv.gz'
    exit 0
fi
box=$(mktemp -d "${TMPDIR:-/tmp}/nightjar-quality.XXXXXX") || exit 1
trap 'rm -rf "$box"' EXIT
trap 'exit 129' HUP INT TERM
: >"$table"

# point WHO SECONDS TRAINING VALIDATION RECALL NDCG: shown and kept
point() {
    printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$@" >>"$table"
    printf '| %s | %.0f | %.1f | %.4f | %.4f | %.4f |\n' "$@"
}

# night NAME CONFIG [OPTIONS...]: a run of nightjar
night() {
    name=$1
    config=$2
    shift 2
    rm -rf "$box/out" && mkdir "$box/out"
    NIGHTJAR_OUT=$box/out NIGHTJAR_DATA=$NIGHTJAR_DATA "$program" run "$root/configs/$config.yaml" \
        --quiet --set "threads=$THREADS" "$@" || exit 1
    sqlite3 -batch -separator ' ' "$box/out/$config.work.db" "
        SELECT (SELECT sum(cpu_seconds) FROM stage_run),
            (SELECT cpu_seconds FROM stage_run WHERE label = 'refit'),
            (SELECT max(validation) FROM training_curve WHERE stage = 'train'),
            max(value) FILTER (WHERE name = 'recall@20'), max(value) FILTER (WHERE name = 'ndcg@20')
        FROM run_metric WHERE model = 'nightjar' AND grp = 'all'" >"$box/values"
    read -r seconds training validation recall ndcg <"$box/values"
    point "nightjar, $name" "$seconds" "$training" "$validation" "$recall" "$ndcg"
}

peer() {
    if ! "$PYTHON" -c 'import numpy, torch' 2>/dev/null; then
        echo "skipped: the peer: $PYTHON has no torch and numpy (Debian: python3-torch)"
        return
    fi
    # threads that wait must not count as work
    OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=0 "$PYTHON" "$root/tests/bench/quality_torch.py" \
        "$train" "$test" --epochs "$PEER_EPOCHS" --threads "$THREADS" >"$box/peer" || exit 1
    while read -r epochs training seconds validation recall ndcg; do
        point "PyTorch, d=64, $epochs epochs" "$seconds" "$training" "$validation" "$recall" "$ndcg"
    done <"$box/peer"
}

echo "$("$program" version | head -n 1); $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg) at the start"
echo
echo '| | CPU seconds | of one training | NDCG@20, validation | Recall@20, test | NDCG@20, test |'
echo '|---|---|---|---|---|---|'
peer
# few negatives, for the best start
for epochs in 4 6 8; do
    night "512 negatives (d=64), $epochs epochs" gowalla --set "stages.train.epochs=$epochs" \
        --set stages.train.validate_every=2 --set stages.negatives.count=512 \
        --set stages.train.learning_rate=0.025
done
for epochs in 8 16; do
    night "gowalla.yaml (d=64), $epochs epochs" gowalla --set "stages.train.epochs=$epochs" \
        --set stages.train.validate_every=2
done
night 'best.yaml, d=64' best --set stages.train.dimension=64
night 'best.yaml, d=128' best
# the first of nightjar to be as good as each of the peer's
awk -F '\t' '
    /^PyTorch/ { p++; peer[p] = $1; whole[p] = $2; training[p] = $3; best[p] = $5 }
    /^nightjar/ { n++; who[n] = $1; all[n] = $2; fit[n] = $3; recall[n] = $5 }
    END {
        for (k = 1; k <= p; k++) {
            for (i = 1; i <= n && recall[i] < best[k]; i++) { }
            if (i > n) continue
            printf "\n%s reach Recall@20 %.4f in %.0f CPU seconds of training (%.0f in all); ", peer[k],
                best[k], training[k], whole[k]
            printf "%s reach %.4f in %.1f (%.0f): %.1f (%.1f) times sooner.\n", who[i], recall[i], fit[i],
                all[i], training[k] / fit[i], whole[k] / all[i]
        }
    }' "$table"
