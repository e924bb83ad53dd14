#!/bin/sh
# `make bench-extension`: lookups of nightjar.so beside sqlite-vec, which npm brings, and beside the published
# lists, in one connection of Python's sqlite3, on one core. ITEMS and DIMENSION say how much there is;
# NIGHTJAR_NODE_MODULES names a folder that has sqlite-vec already.
set -u
: "${BUILD:=build/release}" "${ITEMS:=50000}" "${DIMENSION:=64}" "${NIGHTJAR_NODE_MODULES:=}"
program=$PWD/$BUILD/nightjar
extension=$PWD/$BUILD/nightjar
box=$(mktemp -d "${TMPDIR:-/tmp}/nightjar-extension.XXXXXX") || exit 1
trap 'rm -rf "$box"' EXIT
trap 'exit 129' HUP INT TERM
python=
for candidate in python3 /usr/bin/python3; do
    "$candidate" -c 'import sqlite3; sqlite3.connect(":memory:").enable_load_extension(True)' 2>/dev/null &&
        python=$candidate && break
done
[ -n "$python" ] || {
    echo 'no Python here whose sqlite3 loads extensions' >&2
    exit 1
}
modules=$NIGHTJAR_NODE_MODULES
if [ -z "$modules" ] && command -v npm >/dev/null; then
    (cd "$box" && npm install --silent --no-audit --no-fund sqlite-vec) >/dev/null 2>&1
    modules=$box/node_modules
fi
peer=$(find "$modules" -name 'vec0.so' 2>/dev/null | head -n 1)
[ -n "$peer" ] || echo 'without sqlite-vec: there is no npm here, or it cannot bring it' >&2

"$program" generate "$box/shop.db" --until 2026-01-01 --users $((ITEMS / 4)) --items "$ITEMS" --events $((ITEMS * 10)) --seed 5 --quiet
cat >"$box/shop.yaml" <<YAML
pipeline: shop
source: {database: shop.db, interactions: "SELECT user_id, item_id, created_at FROM events"}
output: {database: reco.db}
stages:
  - interactions: {split: {by: time, valid: 7d}}
  - pairs: {evidence: {}}
  - negatives: {count: 1024}
  - train: {dimension: $DIMENSION, epochs: 1}
  - calibrate: {}
  - recommend: {top: 20, live: true}
  - publish: {}
YAML
"$program" run "$box/shop.yaml" --quiet || exit 1
"$python" - "$box/reco.db" "$extension" "${peer%.so}" <<'P'
import sqlite3, statistics, sys, time
path, extension, peer = sys.argv[1:]
db = sqlite3.connect(path)
db.enable_load_extension(True)
db.load_extension(extension)
users = db.execute('SELECT user_id, embedding FROM user_embeddings LIMIT 300').fetchall()
items = [row[0] for row in db.execute('SELECT item_id FROM item_embeddings LIMIT 300')]
some = 'SELECT item_id FROM item_embeddings WHERE item_id % 10 = 0'
n, bytes_ = db.execute('SELECT count(*), max(length(embedding)) FROM item_embeddings').fetchone()
print(f'{n} items of {bytes_ // 4} components, SQLite {sqlite3.sqlite_version}\n')

def measure(name, query, arguments):
    seconds = []
    for argument in arguments:
        start = time.perf_counter()
        rows = db.execute(query, (argument,)).fetchall()
        seconds.append(time.perf_counter() - start)
        assert rows
    seconds.sort()
    print(f'| {name} | {statistics.median(seconds) * 1e3:.3f} | {seconds[len(seconds) * 95 // 100] * 1e3:.3f} |')
    return rows

vectors = [user[1] for user in users]
start = time.perf_counter()
db.execute('SELECT count(*) FROM nightjar_nearest(?, 20)', (vectors[0],)).fetchall()
first = time.perf_counter() - start
evidence, = db.execute('SELECT evidence_weight FROM nightjar_generations').fetchone()
print(f'evidence weighs {evidence:g}\n\n| 20 of them | ms, median | 95 of 100 |\n|---|---|---|')
measure('the published list of a user', 'SELECT item_id, score FROM recommendations WHERE user_id = ? ORDER BY rank', [u[0] for u in users])
measure('`nightjar_recommend`', 'SELECT item_id, score FROM nightjar_recommend(?, 20)', [u[0] for u in users])
measure('`nightjar_nearest`', 'SELECT item_id, score FROM nightjar_nearest(?, 20)', vectors)
measure('`nightjar_similar`', 'SELECT item_id, score FROM nightjar_similar(?, 20)', items)
measure('`nightjar_nearest`, of a tenth by IN', f'SELECT item_id, score FROM nightjar_nearest(?, 20) WHERE item_id IN ({some})', vectors)
if peer:
    db.load_extension(peer)
    db.execute(f'CREATE VIRTUAL TABLE temp.v USING vec0(item_id INTEGER PRIMARY KEY, embedding float[{bytes_ // 4}] distance_metric=cosine)')
    db.execute('INSERT INTO temp.v SELECT item_id, embedding FROM item_embeddings')
    measure('sqlite-vec `vec0`, k = 20', 'SELECT item_id, distance FROM temp.v WHERE embedding MATCH ? AND k = 20', vectors)
    measure('the same of a tenth by IN', f'SELECT item_id, distance FROM temp.v WHERE embedding MATCH ? AND k = 20 AND item_id IN ({some})', vectors)
print(f'\nThe first call of a connection reads the items: {first * 1e3:.0f} ms.')
P
