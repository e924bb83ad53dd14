#!/bin/sh
# `make bench-quality`: quality against CPU seconds on Gowalla, nightjar beside the two-tower training
# that people write in PyTorch (quality_torch.py: in-batch softmax with logQ correction), in one run
# on one machine. Every point is a whole night: reading, choosing on validation, training on
# everything, lists of all users, judged once on the test part. Needs NIGHTJAR_DATA with
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

# point WHO SECONDS VALIDATION RECALL NDCG: shown and kept
point() {
    printf '%s\t%s\t%s\t%s\t%s\n' "$@" >>"$table"
    printf '| %s | %.0f | %.4f | %.4f | %.4f |\n' "$@"
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
            (SELECT max(validation) FROM training_curve WHERE stage = 'train'),
            max(value) FILTER (WHERE name = 'recall@20'), max(value) FILTER (WHERE name = 'ndcg@20')
        FROM run_metric WHERE model = 'nightjar' AND grp = 'all'" >"$box/values"
    read -r seconds validation recall ndcg <"$box/values"
    point "nightjar, $name" "$seconds" "$validation" "$recall" "$ndcg"
}

peer() {
    if ! "$PYTHON" -c 'import numpy, torch' 2>/dev/null; then
        echo "skipped: the peer: $PYTHON has no torch and numpy (Debian: python3-torch)"
        return
    fi
    # threads that wait must not count as work
    OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=0 "$PYTHON" "$root/tests/bench/quality_torch.py" \
        "$train" "$test" --epochs "$PEER_EPOCHS" --threads "$THREADS" >"$box/peer" || exit 1
    while read -r epochs _ seconds validation recall ndcg; do
        point "PyTorch, d=64, $epochs epochs" "$seconds" "$validation" "$recall" "$ndcg"
    done <"$box/peer"
}

echo "$("$program" version | head -n 1); $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg) at the start"
echo
echo '| | CPU seconds | NDCG@20, validation | Recall@20, test | NDCG@20, test |'
echo '|---|---|---|---|---|'
peer
for epochs in 2 4 8 16; do
    night "gowalla.yaml (d=64), $epochs epochs" gowalla --set "stages.train.epochs=$epochs" \
        --set stages.train.validate_every=2
done
night 'best.yaml, d=64' best --set stages.train.dimension=64
night 'best.yaml, d=128' best
awk -F '\t' '
    /^PyTorch/ && $4 > peer { peer = $4; peer_seconds = $2 }
    /^nightjar/ { n++; who[n] = $1; seconds[n] = $2; recall[n] = $4 }
    END {
        for (i = 1; peer > 0 && i <= n; i++) {
            if (recall[i] >= peer) {
                printf "\nThe best of PyTorch, Recall@20 %.4f in %.0f CPU seconds, is reached by ", peer,
                    peer_seconds
                printf "%s: %.4f in %.0f, %.1f times faster.\n", who[i], recall[i], seconds[i],
                    peer_seconds / seconds[i]
                exit
            }
        }
    }' "$table"
