#!/bin/sh
# Several ranks on one plan: the exchanges by themselves, and what must be refused. Skipped where there is no
# MPI; with NIGHTJAR_SOAK under MPICH, too.
set -u
. "$(dirname "$0")/../support/tap.sh"
# as root, on fewer processors than ranks
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_mpi_yield_when_idle=1
plain=$PROGRAM
cd "$root" || exit 1

# with MPI: the program and the tests for several ranks linked with that library; sets ranked, tests and
# launcher. Of Debian's names for mpirun the one that belongs to it.
with() {
    case $1 in
    mpi) launcher=mpirun ;;
    mpich) launcher=mpirun.mpich ;;
    esac
    ranked=$BUILD-$1/nightjar tests=$BUILD-$1/tests/unit
    "${MAKE:-make}" --no-print-directory -s BUILD="$BUILD" MPI="$1" "$ranked" "$tests/test_ranks" \
        "$tests/test_publish_ranks" "$tests/test_crowd" >"$box/err" 2>&1 && ranked=$root/$ranked tests=$root/$tests
}

# ranks N PROGRAM [ARGUMENTS]: sets code, leaves out and err
ranks() {
    n=$1
    shift
    code=0
    (cd "$box" && timeout 120 "$launcher" -n "$n" "$@" >out 2>err) || code=$?
}

# refused NAME CODE PATTERN: how the last ended; each line of ours once
refused() {
    if [ "$code" -eq "$2" ] && [ "$(grep -c -E "$3" "$box/err")" -eq 1 ]; then
        pass "$1"
    else
        echo "exit $code, not $2; /$3/" >"$box/why"
        fail "$1" "$box/why" "$box/err"
    fi
}

# holds NAME TEST N...: the test as so many ranks
holds() {
    name=$1 test=$2
    shift 2
    for n in "$@"; do
        ranks "$n" "$tests/$test"
        if [ "$code" -eq 0 ]; then
            pass "$name $n ranks"
        else
            fail "$name $n ranks" "$box/out" "$box/err"
        fi
    done
}

refusals() {
    ranks 3 "$ranked" version
    refused 'three ranks' 64 'the nearest are 2 and 4$'
    ranks 2 "$plain" version
    refused 'a build without MPI' 64 'built without MPI: each of the 2 processes that mpirun'
    ranks 2 "$ranked" runs shop.yaml
    refused 'a command for one process' 64 '^nightjar: runs works in one process, and 2 were started'
    ranks 2 "$ranked" run shop.yaml --set seed=x
    refused 'a mistake is told once' 64 '^nightjar: --set seed=x: '
    ranks 1 "$ranked" run shop.yaml : -n 1 "$ranked" run shop.yaml --set seed=2
    refused 'two configurations' 78 '^nightjar: shop.yaml: rank 1 on .* has another configuration than rank 0'
    cp "$box/shop.db" "$box/behind.db"
    sqlite3 "$box/behind.db" 'DELETE FROM events WHERE event_id = (SELECT max(event_id) FROM events)'
    sed 's/shop.db/"${WHERE}.db"/' "$box/shop.yaml" >"$box/two.yaml"
    ranks 1 env WHERE=shop "$ranked" run two.yaml : -n 1 env WHERE=behind "$ranked" run two.yaml
    refused 'two sources' 78 '^nightjar: shop.db: rank 1 on .* sees another source than rank 0'
}

"$plain" generate "$box/shop.db" --users 300 --items 150 --events 8000 --days 60 --quiet
cat >"$box/shop.yaml" <<'YAML'
pipeline: shop
source: {database: shop.db, table: events, user: user_id, item: item_id, time: created_at}
output: {database: out.db}
stages:
  - interactions: {min_item_interactions: 2, split: {by: time, valid: 7d, test: 7d}}
YAML

if command -v mpirun >/dev/null && pkg-config --exists mpi && with mpi; then
    holds 'every exchange and sum between' test_ranks 2 4
    holds 'one generation out of the rows of' test_publish_ranks 2 4
    holds 'pairs, weights and metrics of the users of' test_crowd 2 4
    refusals
else
    skip 'no MPI (sh .ci/packages.sh tests)'
fi
if [ -z "$NIGHTJAR_SOAK" ]; then
    :
elif command -v mpirun.mpich >/dev/null && pkg-config --exists mpich && with mpich; then
    holds 'every exchange and sum between' test_ranks 2 4 8
    holds 'one generation out of the rows of' test_publish_ranks 2 4 8
    holds 'pairs, weights and metrics of the users of' test_crowd 2 4 8
    refusals
else
    skip 'no MPICH (sh .ci/packages.sh soak)'
fi
end_of_tests
