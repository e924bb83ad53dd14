#!/bin/sh
# nightjar.so in the sqlite3 shell, in Python's sqlite3 and, in the soak, in Node's better-sqlite3: it agrees
# with what is published and with plain SQL, refuses what makes no sense, and serves several connections and
# threads while generations are published. EXTENSION is the file to test; NIGHTJAR_NODE_MODULES names a folder
# that has better-sqlite3 already.
set -u
. "$(dirname "$0")/../support/tap.sh"
: "${EXTENSION:=$root/$BUILD/nightjar.so}"
python=
for candidate in python3 /usr/bin/python3; do
    "$candidate" -c 'import sqlite3; sqlite3.connect(":memory:").enable_load_extension(True)' 2>/dev/null &&
        python=$candidate && break
done
# an extension with a sanitizer needs its library in the program that loads it
preload=
case $BUILD in
*asan*) preload=$(gcc -print-file-name=libasan.so) ;;
*tsan*) skip 'the thread sanitizer wants to be in the program' && end_of_tests ;;
esac
inside() { env ${preload:+LD_PRELOAD="$preload" ASAN_OPTIONS=detect_leaks=0} "$@"; }

# make_shop NAME PREFIX: $box/NAME.db, published
make_shop() {
    cat >"$box/$1.yaml" <<YAML
pipeline: $1
source: {database: shop.db, interactions: "SELECT $2 user_id AS user_id, $2 item_id AS item_id, created_at FROM events"}
output: {database: $1.db}
work: {database: $1.work.db}
stages:
  - interactions: {}
  - pairs: {}
  - negatives: {strategy: all}
  - train: {dimension: 20, epochs: 2}
  - recommend: {top: 10, similar: 7}
  - publish: {}
YAML
    "$PROGRAM" run "$box/$1.yaml" --quiet --set threads=1
}
"$PROGRAM" generate "$box/shop.db" --until 2026-01-01 --users 120 --items 90 --events 4000 --seed 5 --quiet
make_shop integer '' && make_shop text "'id-' ||" || exit 1
sqlite3 "$box/integer.db" 'PRAGMA journal_mode = WAL' >/dev/null
cd "$box" || exit 1

# ask DATABASE SQL: what the shell says
ask() {
    printf '.load %s\n%s\n' "$EXTENSION" "$2" | inside sqlite3 -batch "$1" 2>&1
}
# says NAME DATABASE SQL EXPECTED
says() {
    ask "$2" "$3" >answer
    printf '%s\n' "$4" | diff - answer >difference && pass "$1" || fail "$1" difference
}

for db in integer text; do
    says "similar items are the published ones, $db ids" $db.db "
        SELECT count(*), sum(n.item_id IS s.similar_item_id OR abs(n.score - s.score) < 1e-6), max(abs(n.score - s.score)) < 1e-5
        FROM similar_items AS s LEFT JOIN nightjar_similar(s.item_id, 7) AS n ON n.rank = s.rank;" \
        "$(sqlite3 $db.db 'SELECT count(*), count(*), 1 FROM similar_items')"
    # by the definition, in SQL
    scored="SELECT item_id, nightjar_cosine(embedding, (SELECT embedding FROM user_embeddings LIMIT 1 OFFSET 5)) / temperature + bias AS score
            FROM item_embeddings, nightjar_generations"
    user='(SELECT embedding FROM user_embeddings LIMIT 1 OFFSET 5)'
    says "the nearest are those with the best score, $db ids" $db.db "
        WITH naive AS (SELECT row_number() OVER (ORDER BY score DESC) AS rank, * FROM ($scored))
        SELECT count(*), max(abs(n.score - naive.score)) < 1e-4, sum(n.item_id = naive.item_id)
        FROM nightjar_nearest($user, 25) AS n JOIN naive USING (rank);" '25|1|25'
    some='SELECT item_id FROM popular_items WHERE rank % 3 = 0'
    says "k counts what IN leaves, $db ids" $db.db "
        WITH naive AS (SELECT row_number() OVER (ORDER BY score DESC) AS rank, * FROM ($scored) WHERE item_id IN ($some))
        SELECT count(*), max(abs(n.score - naive.score)) < 1e-4, sum(n.item_id = naive.item_id)
        FROM nightjar_nearest($user, 9) AS n JOIN naive USING (rank) WHERE n.item_id IN ($some);" '9|1|9'
    says "so it does where a join is by the item, $db ids" $db.db "
        CREATE TEMP TABLE stock(item_id $db PRIMARY KEY);
        INSERT INTO stock SELECT item_id FROM item_embeddings;
        SELECT count(*), max(n.rank) FROM nightjar_nearest($user, 9) AS n JOIN stock USING (item_id) WHERE n.item_id IN ($some);
        SELECT count(*), max(n.rank) FROM stock JOIN nightjar_nearest($user, 9) AS n ON n.item_id = stock.item_id WHERE n.item_id IN ($some);" '9|9
9|9'
    says "a join begins with the function, $db ids" $db.db "
        SELECT count(*), min(rank), max(rank) FROM nightjar_nearest($user, 4) AS n JOIN item_embeddings AS i ON i.item_id = n.item_id;
        SELECT count(*), count(n.rank) FROM item_embeddings AS i LEFT JOIN nightjar_nearest($user, 4) AS n ON n.item_id = i.item_id;
        SELECT count(*) FROM (SELECT item_id FROM item_embeddings LIMIT 3) AS i JOIN nightjar_similar(i.item_id, 2);" \
        "4|1|4
$(sqlite3 $db.db 'SELECT count(*) FROM item_embeddings')|4
6"
    says "a guest is the mean of the cart, $db ids" $db.db "
        SELECT length(v) = 4 * 20, abs(nightjar_cosine(v, v) - 1) < 1e-12, (SELECT count(*) FROM nightjar_nearest(v)),
            (SELECT count(*) FROM nightjar_nearest(v, 1000)) = (SELECT count(*) FROM item_embeddings)
        FROM (SELECT nightjar_mean(embedding) AS v FROM item_embeddings WHERE item_id IN ($some));
        SELECT nightjar_mean(embedding) IS NULL FROM item_embeddings WHERE 0;
        SELECT count(*) FROM nightjar_nearest(NULL, 3);
        SELECT count(*) FROM nightjar_similar('nothing', 3);" '1|1|10|1
1
0
0'
done
says 'one item, and one that a constant names' integer.db "
    SELECT count(*) FROM nightjar_nearest((SELECT embedding FROM user_embeddings LIMIT 1), 1) WHERE item_id = 3;
    SELECT count(*) FROM nightjar_nearest((SELECT embedding FROM user_embeddings LIMIT 1), 1) WHERE item_id IN (SELECT 3 UNION SELECT 3.0 UNION SELECT 'x');" '1
1'

# lists as of now: what is published, to the last row, with parts of every kind, segments, boosts and items
# that only side data know
"$PROGRAM" generate "$box/living.db" --until 2026-01-01 --kind living --users 250 --items 160 --events 12000 --seed 5 --quiet
cat >live.yaml <<'YAML'
pipeline: live
source: {database: living.db, interactions: "SELECT user_id, item_id, event, created_at FROM events"}
output: {database: live.db}
work: {database: live.work.db}
stages:
  - interactions:
      event_weights: {view: 1, cart: 2, purchase: 4}
      min_item_interactions: 20
      split: {by: time, valid: 7d, test: 7d, repeats: true}
  - features: {items: {query: "SELECT item_id, category, price FROM items"}}
  - pairs: {evidence: {}, transitions: {}, ridge: {}}
  - negatives: {strategy: all}
  - train: {dimension: 20, epochs: 4}
  - calibrate: {}
  - refit: {}
  - recommend:
      top: 10
      live: true
      exclude_seen: auto
      segments: SELECT user_id, country AS segment FROM users
      eligible: >
        SELECT item_id, CASE item_id % 3 WHEN 0 THEN (SELECT min(country) FROM users) END AS segment
        FROM items WHERE item_id % 7 > 0
      boosts: SELECT item_id, 3.5 AS boost FROM items WHERE item_id % 5 = 0
  - publish: {}
YAML
for seen in auto true; do
    "$PROGRAM" run live.yaml --quiet --set threads=1 --set stages.recommend.exclude_seen=$seen
    says "nightjar_recommend gives the published lists, exclude_seen: $seen" live.db "
        SELECT count(*), count(DISTINCT user_id) > 200, sum(n.item_id = r.item_id AND n.source = r.source AND abs(n.score - r.score) < 1e-5 * (1 + abs(r.score)))
        FROM recommendations AS r LEFT JOIN nightjar_recommend(r.user_id, 10) AS n ON n.rank = r.rank;
        SELECT count(*) > 1 FROM nightjar_generations, json_each(score_parts);" \
        "$(sqlite3 live.db 'SELECT count(*), 1, count(*) FROM recommendations')
1"
done
newest='(SELECT item_id FROM recommendations WHERE user_id = 7 AND rank = 2)'
says 'what came since is left out, and moves the list' live.db "
    SELECT count(*), sum(item_id = $newest) FROM nightjar_recommend(7, 20, json_array($newest, 'no item', NULL));
    SELECT count(*) > 2 FROM (SELECT rank, item_id FROM nightjar_recommend(7, 20, json_array($newest))
        EXCEPT SELECT rank, item_id FROM nightjar_recommend(7, 20));
    SELECT (SELECT group_concat(item_id) FROM nightjar_recommend(7, 5, '[]')) = (SELECT group_concat(item_id) FROM nightjar_recommend(7, 5));
    SELECT count(*), max(rank) FROM nightjar_recommend(7, 3) WHERE item_id IN (SELECT item_id FROM item_embeddings WHERE item_id % 2);" \
    '20|0
1
1
3|3'
says 'nobody gets popular items, a guest those of the cart' live.db "
    SELECT group_concat(DISTINCT source), sum(n.item_id = p.item_id) FROM nightjar_recommend('nobody', 5) AS n JOIN popular_items AS p USING (rank);
    SELECT group_concat(DISTINCT source), count(*), sum(item_id IN (1, 2)) FROM nightjar_recommend(NULL, 5, '[1, 2]');
    SELECT count(*) FROM nightjar_recommend(NULL, 5);" 'popular|5
cold|5|0
0'
"$PROGRAM" forget live.yaml --user 7 2>/dev/null
says 'who is forgotten is nobody' live.db "
    SELECT DISTINCT source FROM nightjar_recommend(7, 5); SELECT count(*) FROM score_users_g1 WHERE user = 7;" 'popular
0'
cp live.db damaged.db
says 'a history of items that are no candidates is an error, and so are pairs' damaged.db "
    UPDATE score_users_g2 SET items = zeroblob(length(items) - 4) || x'ffffff7f' WHERE user = 8;
    SELECT * FROM nightjar_recommend(8, 3);
    UPDATE score_pairs_g2 SET items = zeroblob(length(items) - 4) || x'ffffff7f';
    SELECT count(*) FROM nightjar_recommend(9, 3);" \
    'Runtime error near line 4: nightjar_recommend: a row of score_users is damaged
Runtime error near line 6: nightjar_recommend: a row of score_pairs is damaged'
says 'without live there is nothing to score with' integer.db 'SELECT * FROM nightjar_recommend(1, 3);' \
    "Runtime error near line 2: nightjar_recommend: generation 1 was published without recommend: {live: true}"

# errors say what is wrong
nan=$(printf '0000c07f%0152d' 0)
while IFS='@' read -r sql message; do
    ask integer.db "$sql;" >answer
    check "$message" grep -F "$message" answer
done <<CASES
SELECT * FROM nightjar_nearest(x'00', 3)@the vector has 1 bytes; generation 1 has embeddings of 20 components, 80 bytes
SELECT * FROM nightjar_nearest('text', 3)@the vector has 4 bytes
SELECT * FROM nightjar_nearest(zeroblob(80), 3)@the vector has no length
SELECT * FROM nightjar_nearest(x'$nan', 3)@no finite number
SELECT * FROM nightjar_nearest@nightjar_nearest(vector, k): the vector is missing
SELECT * FROM nightjar_similar(1, 0)@k is '0'; a whole number from 1 is allowed
SELECT * FROM nightjar_similar(1, 'many')@k is 'many'
SELECT * FROM nightjar_similar(1, 3, 'temp')@database temp has no generations under the prefix ''
SELECT * FROM nightjar_similar(1, 3, '.p_')@no database of this connection has generations under the prefix 'p_': ATTACH the output database first
ATTACH 'text.db' AS other; SELECT * FROM nightjar_similar(1, 3)@2 databases of this connection have generations
SELECT * FROM nightjar_recommend@nightjar_recommend(user, k): the user is missing
ATTACH 'live.db' AS live; SELECT * FROM nightjar_recommend(1, 3, '{"a"', 'live')@the items are no JSON array: malformed JSON
ATTACH 'live.db' AS live; SELECT * FROM nightjar_recommend(1, 'x', NULL, 'live')@nightjar_recommend: k is 'x'
SELECT nightjar_cosine(zeroblob(8), zeroblob(12))@embeddings of 2 and of 3 components do not go together
SELECT nightjar_cosine('abcd', zeroblob(4))@an embedding is a blob of float32, not another value of 4 bytes
SELECT nightjar_cosine(zeroblob(3), zeroblob(3))@not a blob of 3 bytes
SELECT nightjar_cosine(x'0000c07f', x'0000803f')@no finite number
SELECT nightjar_mean(x'0000807f')@no finite number
SELECT nightjar_mean(v) FROM (SELECT zeroblob(4) AS v UNION ALL SELECT zeroblob(8))@embeddings of 1 and of 2 components
CREATE VIEW sly AS SELECT * FROM nightjar_similar(1, 3); SELECT * FROM sly@unsafe use of virtual table
CASES
sqlite3 integer.db 'DROP VIEW sly'
says 'an attached database is named' integer.db "ATTACH 'text.db' AS other;
    SELECT count(*) FROM nightjar_similar('id-1', 3, 'other'); SELECT count(*) FROM nightjar_similar(1, 3, 'main');" '3
3'
says 'opposite vectors have no mean, and nothing has no cosine' integer.db "
    SELECT nightjar_mean(v) IS NULL FROM (SELECT x'0000803f' AS v UNION ALL SELECT x'000080bf');
    SELECT nightjar_cosine(NULL, x'0000803f') IS NULL, nightjar_cosine(zeroblob(4), x'0000803f') IS NULL;" '1
1|1'

# threads with a connection each, while generations are published and rolled back: whatever a statement
# sees is of one of them
cat >readers.py <<'P'
import sqlite3, sys, threading, time
extension, database, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
wrong, generations, n = [], set(), [0]
def read(end):
    db = sqlite3.connect(database, isolation_level=None, timeout=60)
    db.enable_load_extension(True)
    db.load_extension(extension)
    while time.monotonic() < end:
        for row in db.execute("""SELECT g.generation, count(*), max(abs(n.cosine - nightjar_cosine(e.embedding, u.embedding)))
                FROM (SELECT embedding FROM user_embeddings LIMIT 1 OFFSET 3) AS u, nightjar_current AS g
                JOIN nightjar_nearest(u.embedding, 30) AS n JOIN item_embeddings AS e USING (item_id)"""):
            generations.add(row[0])
            n[0] += 1
            if row[1] != 30 or row[2] > 1e-5:
                wrong.append(row)
threads = [threading.Thread(target=read, args=(time.monotonic() + seconds,)) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print(len(wrong), n[0] > 20, len(generations) > 1)
P
if [ -n "$python" ]; then
    {
        for seed in 2 3 4; do
            sleep 0.3
            "$PROGRAM" run integer.yaml --quiet --set threads=1 --set seed=$seed
            "$PROGRAM" rollback integer.yaml
        done
    } >/dev/null 2>&1 &
    pid=$!
    inside "$python" readers.py "${EXTENSION%.so}" integer.db 4 >answer 2>&1
    wait "$pid"
    pid=
    check 'threads see one generation each time, while others are published' grep -qx '0 True True' answer
else
    skip 'no Python here whose sqlite3 loads extensions'
fi

# the newest SQLite
modules=${NIGHTJAR_NODE_MODULES:-}
if [ -z "$modules" ] && [ -n "$NIGHTJAR_SOAK" ] && [ -z "$sanitized" ] && command -v npm >/dev/null &&
    node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)'; then
    mkdir npm && (cd npm && npm install --silent --no-audit --no-fund better-sqlite3@12) >/dev/null 2>&1 &&
        modules=$box/npm/node_modules
fi
if [ -z "$modules" ] || [ -n "$sanitized" ]; then
    skip 'better-sqlite3: in the soak, where npm brings it to a Node of 20 or later'
else
    NODE_PATH=$modules node -e '
        const db = new (require("better-sqlite3"))("text.db", {readonly: true});
        db.loadExtension(process.argv[1]);
        const cart = db.prepare("SELECT nightjar_mean(embedding) FROM item_embeddings WHERE item_id IN (?, ?)").pluck().get("id-1", "id-2");
        const some = db.prepare("SELECT count(*) AS n, max(rank) AS last FROM nightjar_nearest(?, 5) WHERE item_id IN (SELECT item_id FROM popular_items WHERE rank % 2)").get(cart);
        const left = db.prepare("SELECT count(*) AS n, count(s.rank) AS found FROM item_embeddings AS i LEFT JOIN nightjar_similar(?, 4) AS s ON s.item_id = i.item_id").get("id-1");
        const items = db.prepare("SELECT count(*) FROM item_embeddings").pluck().get();
        console.log(some.n, some.last, left.n === items, left.found);' "$EXTENSION" >answer 2>&1
    check 'better-sqlite3 agrees' grep -qx '5 5 true 4' answer
    # the recipe, as it stands
    cp integer.db shop.reco.db
    sed -n '/^```js/,/^```$/{/^```/!p}' "$root/pipeline/commands/topics/recipes.md" >recipe.js
    NODE_PATH=$modules node recipe.js >answer 2>&1
    check 'the recipe for Node' grep -q "item_id: .*score: " answer
fi
end_of_tests
