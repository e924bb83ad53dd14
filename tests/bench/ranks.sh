#!/bin/sh
# `make bench-ranks`: the same run by 1, 2, 4 and 8 ranks: CPU seconds summed over them, the most memory of one,
# seconds, MiB sent, bytes that rank 0 sends in a step of training, counted and expected of how many users each
# item has, and a hash of what is published; with 4 ranks of MPICH, too, where $BUILD-mpich is built. Then, as root
# with iproute2, 4 ranks in network namespaces of their own, at full speed and at 1 Gbit/s and 200 Mbit/s: bytes of
# the whole run, counted and on the wire; what `plan` expects of a step at the most; and seconds of training beside
# those at full speed plus the time of sending. EVENTS is the size of the log in thousands (default: 1000), RANKS are
# the numbers of them; BUILD is the build to measure, without MPI; Open MPI.
set -u
: "${BUILD:?}" "${EVENTS:=1000}" "${RANKS:=1 2 4 8}" "${EPOCHS:=4}" "${RATES:=none 1gbit 200mbit}"
plain=$(cd "$BUILD" && pwd)/nightjar ranked=$(cd "$BUILD-mpi" && pwd)/nightjar
box=$(mktemp -d "${TMPDIR:-/tmp}/nightjar-ranks.XXXXXX") || exit 1
bridge=njranks
trap 'net_down; rm -rf "$box"' EXIT
trap 'exit 129' HUP INT TERM
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_hwloc_base_binding_policy=none

# net_up N RATE: N namespaces on a bridge, each with 10.77.0.N
net_up() {
    ip link add $bridge type bridge && ip addr add 10.77.0.254/24 dev $bridge && ip link set $bridge up || return
    for n in $(seq "$1"); do
        ip netns add $bridge"$n"
        ip link add njrank"$n" type veth peer name eth0 netns $bridge"$n"
        ip link set njrank"$n" master $bridge up
        ip -n $bridge"$n" addr add 10.77.0."$n"/24 dev eth0
        ip -n $bridge"$n" link set lo up
        ip -n $bridge"$n" link set eth0 up
        if [ "$2" != none ]; then # both ways
            tc -n $bridge"$n" qdisc add dev eth0 root tbf rate "$2" burst 256kb latency 50ms
            tc qdisc add dev njrank"$n" root tbf rate "$2" burst 256kb latency 50ms
        fi
    done
}

net_down() {
    for n in 1 2 3 4 5 6 7 8; do
        ip link del njrank"$n" 2>/dev/null # what is left to the namespace goes some time later
        ip netns del $bridge"$n" 2>/dev/null
    done
    ip link del $bridge 2>/dev/null
}

# what mpirun starts its helper with on host 10.77.0.N
cat >"$box/agent" <<'SH'
#!/bin/sh
name=njranks${1##*.}
shift
exec ip netns exec "$name" unshare --uts sh -c "hostname $name; $*"
SH
chmod +x "$box/agent"

cat >"$box/ranks.yaml" <<'YAML'
pipeline: ranks
source: {database: shop.db, table: events, user: user_id, item: item_id, event: event, time: created_at}
output: {database: out.db}
threads: 1
stages:
  - interactions:
      event_weights: {view: 1, cart: 2, purchase: 4}
      min_user_interactions: 2
      min_item_interactions: 3
      split: {by: time, valid: 7d, test: 7d}
  - pairs: {item_item: {window: 7d, top: 50}, evidence: {top: 100}, queryable: false}
  - negatives: {strategy: popularity, count: 2048, alpha: 0.5}
  - train: {dimension: 64, epochs: "${EPOCHS}", patience: 0, batch_users: 2048, validate_every: 1000}
  - evaluate: {metrics: [ndcg@20]}
  - recommend: {top: 20}
  - publish
YAML
export EPOCHS

# run NAME COMMAND...: from nothing; seconds, and the log in NAME.json
run() {
    name=$1
    shift
    rm -f "$box"/ranks.work.db* "$box"/out.db*
    began=$(date +%s%N)
    (cd "$box" && "$@" run ranks.yaml --verbose --log-format json >"$name.json" 2>&1) || {
        tail -n 20 "$box/$name.json"
        exit 1
    }
    seconds=$(awk -v ns=$(($(date +%s%N) - began)) 'BEGIN {printf "%.1f", ns / 1e9}')
}

rows() {
    sqlite3 -batch "$box/out.db" "SELECT user_id, rank, item_id, quote(score) FROM recommendations ORDER BY 1, 2;
        SELECT item_id, rank, similar_item_id, quote(score) FROM similar_items ORDER BY 1, 2;
        SELECT user_id, hex(embedding) FROM user_embeddings ORDER BY 1;
        SELECT item_id, hex(embedding) FROM item_embeddings ORDER BY 1;" | sha256sum | cut -c1-12
}

# of all ranks: CPU seconds summed, and MiB of the largest
summed() {
    for work in "$box"/ranks.work.db "$box"/ranks.work.db.rank-*[0-9]; do
        [ -f "$work" ] && sqlite3 "$work" 'SELECT sum(cpu_seconds), max(peak_rss) / 1048576.0 FROM stage_run'
    done | awk -F'|' '{cpu += $1; if ($2 > most) most = $2} END {printf "%8.1f %10.0f", cpu, most}'
}

# sent NAME: by all ranks, as the run's last lines say it
sent() {
    sed -n 's/.* ranks sent \([^;]*\);.*/\1/p' "$box/$1.json"
}

# step NAME: bytes that rank 0 sends in a step of training, counted and expected
step() {
    sed -n 's/.*train: a step of training sent \([0-9]*\) bytes.*: \([0-9]*\)".*/\1 \2/p' "$box/$1.json" | head -n 1
}

# counted NAME [STAGE]: bytes that rank 0 has sent
counted() {
    sed -n "s/.*\"${2-[a-z]*}: this rank sent \([0-9]*\) bytes.*/\1/p" "$box/$1.json" | awk '{n += $1} END {print n}'
}

"$plain" generate "$box/shop.db" --until 2026-01-01 --users $((EVENTS * 20)) --items $((EVENTS * 10)) --events "${EVENTS}000" --days 365 \
    --quiet || exit

echo "ranks   CPU s   MiB a rank  seconds  sent          a step: bytes, expected  published"
row() {
    printf '%-5s %s %8s  %-12s  %-23s  %s\n' "$1" "$(summed)" "$seconds" "${2:--}" "${3:--}" "$(rows)"
}
run plain "$plain"
row none
for n in $RANKS; do
    run ranks mpirun.openmpi -n "$n" "$ranked"
    row "$n" "$(sent ranks)" "$(step ranks)"
done
if command -v mpirun.mpich >/dev/null && [ -x "$BUILD-mpich/nightjar" ]; then
    run mpich mpirun.mpich -n 4 "$(cd "$BUILD-mpich" && pwd)/nightjar"
    row mpich "$(sent mpich)" "$(step mpich)"
fi

if [ "$(id -u)" -ne 0 ] || ! command -v tc >/dev/null || ! command -v ip >/dev/null; then
    echo "the network: not measured (root and iproute2 are needed)"
    exit
fi
# in_namespaces NAME [OPTIONS]: a run of 4 ranks, each on a host of its own
in_namespaces() {
    name=$1
    shift
    run "$name" mpirun.openmpi --mca plm_rsh_agent "$box/agent" --mca oob_tcp_if_include 10.77.0.0/24 --mca pml ob1 \
        --mca btl tcp,self --mca btl_tcp_if_include 10.77.0.0/24 \
        --host 10.77.0.1,10.77.0.2,10.77.0.3,10.77.0.4 -n 4 "$ranked" "$@"
}

on_the_wire() {
    ip -n ${bridge}1 -s link show eth0 | awk '/TX:/ {getline; print $1}'
}

train_seconds() {
    sqlite3 "$box/ranks.work.db" "SELECT seconds FROM stage_run WHERE label = 'train'"
}

planned=$(cd "$box" && "$plain" plan ranks.yaml --ranks 4 |
    sed -n 's/^train: each rank sends \(.*\) a step and .* in \([0-9]*\) steps.*/\1, in \2 steps/p')
echo
echo "4 ranks in 4 namespaces; the plan: each sends at the most $planned"
net_down
net_up 4 none || exit
in_namespaces once
whole=$(on_the_wire) full=$(train_seconds)
echo "rank 0, the whole run: $(counted once) bytes counted, $whole on the wire"
echo "train: seconds, and by the model"
for rate in $RATES; do
    net_down
    net_up 4 "$rate" || exit
    in_namespaces net
    awk -v rate="$rate" -v took="$(train_seconds)" -v full="$full" -v bytes="$(counted net train)" 'BEGIN {
        bits = rate == "none" ? 0 : rate ~ /gbit/ ? rate * 1e9 : rate * 1e6
        printf "%-9s %8.1f %8.1f\n", rate, took, full + (bits > 0 ? bytes * 8 / bits : 0)
    }'
done
