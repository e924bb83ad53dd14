#!/bin/sh
# Trouble around the program: locks, rights, a full disk, a closed stdout; and input that is odd
# but sound.
set -u
. "$(dirname "$0")/lib.sh"

# hold_lock BEGIN: another program locks shop.db until let_go
hold_lock() {
    mkfifo "$box/lock"
    : >"$box/lock.out"
    sqlite3 "$SHOP" <"$box/lock" >"$box/lock.out" &
    holder=$!
    exec 3>"$box/lock"
    echo "$1; SELECT 'held';" >&3
    tries=0
    until grep -q held "$box/lock.out" || [ "$tries" -ge 9999 ]; do
        sleep 0.01
        tries=$((tries + 1))
    done
}

let_go() {
    exec 3>&-
    wait "$holder"
    rm "$box/lock"
}

# locked NAME BEGIN OPTIONS...: the run gives up, and succeeds when the lock is gone
locked() {
    name=$1 begin=$2
    shift 2
    copy_of next
    before=$(digest "$SHOP")
    hold_lock "$begin"
    nightjar run --set source.busy_timeout=0.3s "$@"
    expect 'exit code' [ "$code" -eq 75 ]
    expect 'message' grep -q 'locked by another' "$box/err"
    let_go
    expect 'the database' [ "$(digest "$SHOP")" = "$before" ]
    expect 'record' [ "$(on_record)" = 'failed 75' ]
    nightjar run
    expect 'exit code afterwards' [ "$code" -eq 0 ]
    expect 'published rows afterwards' [ "$(published)" = "$this_morning" ]
    verdict "$name"
}

# An identifier is a name, whatever it looks like.
odd_table() {
    copy_of first
    sql 'CREATE TABLE "x""; DROP TABLE events; --" AS SELECT user_id AS "a b", item_id AS "c""d"
         FROM events'
    own=$(own_rows)
    sed '/interactions: SELECT/c\
  table: '"'"'x"; DROP TABLE events; --'"'"'\
  user: a b\
  item: '"'"'c"d'"'"'' "$here/shop.yaml" |
        sed -e '/split:/d' -e 's/window: 7d, //' >"$box/odd.yaml"
    code=0
    "$program" run "$box/odd.yaml" >"$box/out" 2>"$box/err" || code=$?
    expect 'exit code' [ "$code" -eq 0 ]
    expect 'own rows' [ "$(own_rows)" = "$own" ]
    expect 'files' [ "$(integrity)" = 'ok ok' ]
    verdict 'a table named x"; DROP TABLE events; -- is read'
}

# One user may have more events than all others together.
busy_user() {
    copy_of first
    sql "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 1000000)
         INSERT INTO events
         SELECT 100000 + n, 1, 1 + n * 7919 % 20000, 'view', 1766000000 + n % 86400 FROM t"
    nightjar run --set stages.train.epochs=1
    expect 'exit code' [ "$code" -eq 0 ]
    expect 'rows read' [ "$(sqlite3 "$SHOP.work" "SELECT n_rows FROM stage_run
        WHERE label = 'interactions' ORDER BY run DESC LIMIT 1")" -eq 1007600 ]
    expect 'files' [ "$(integrity)" = 'ok ok' ]
    verdict 'a user with a million events'
}

# A writer dies in the middle of a transaction; its journal stays beside the database.
writer_dies() {
    copy_of next
    own=$(own_rows)
    python3 - "$SHOP" <<'PYTHON'
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute('PRAGMA cache_size = 1')
db.execute('BEGIN IMMEDIATE')
db.execute("UPDATE events SET event = 'nonsense'")
os._exit(0)
PYTHON
    expect 'a journal' [ -s "$SHOP-journal" ]
}

left_journal() {
    writer_dies
    nightjar check
    expect 'exit code of check' [ "$code" -eq 0 ]
    expect 'the journal is gone' [ ! -e "$SHOP-journal" ]
    writer_dies
    nightjar run
    expect 'exit code' [ "$code" -eq 0 ]
    expect 'published rows' [ "$(published)" = "$this_morning" ]
    expect 'own rows' [ "$(own_rows)" = "$own" ]
    expect 'files' [ "$(integrity)" = 'ok ok' ]
    verdict 'a writer that died left a journal'
    if ! as_nobody test -r "$box/shop.yaml" 2>/dev/null; then
        skip 'a journal that may not be played back: needs setpriv, or not to be root'
        return
    fi
    writer_dies
    chmod 444 "$SHOP" "$SHOP-journal"
    before=$(digest "$SHOP")
    mkdir "$box/anyone"
    chmod 777 "$box/anyone"
    code=0
    as_nobody "$program" run "$box/shop.yaml" --set "work.database=$box/anyone/work.db" \
        >"$box/out" 2>"$box/err" || code=$?
    expect 'exit code without the right to write' [ "$code" -eq 66 ]
    expect 'message' grep -q 'a writer died and left a journal (.*shop.db-journal)' "$box/err"
    expect 'the database' [ "$(digest "$SHOP")" = "$before" ]
    rm -r "$box/anyone"
    verdict 'a journal that may not be played back'
}

# read_only MODE OPTIONS...: runs shop.db, with that mode, in a folder where nobody may write
read_only() {
    copy_of next
    mkdir "$box/read-only"
    mv "$SHOP" "$box/read-only/shop.db"
    chmod "$1" "$box/read-only/shop.db"
    chmod 555 "$box/read-only"
    mkdir "$box/anyone"
    chmod 777 "$box/anyone"
    before=$(digest "$box/read-only/shop.db")
    shift
    code=0
    SHOP=$box/read-only/shop.db as_nobody "$program" run "$box/shop.yaml" "$@" \
        >"$box/out" 2>"$box/err" || code=$?
}

# check_read_only NAME MESSAGE
check_read_only() {
    expect 'exit code' [ "$code" -eq 73 ]
    expect 'message' grep -q "$2" "$box/err"
    expect 'the database' [ "$(digest "$box/read-only/shop.db")" = "$before" ]
    expect 'the folder' [ "$(ls "$box/read-only")" = shop.db ]
    chmod 755 "$box/read-only"
    rm -r "$box/read-only" "$box/anyone"
    verdict "$1"
}

read_only_folders() {
    if ! as_nobody test -r "$box/shop.yaml" 2>/dev/null; then
        skip 'read-only folders: needs setpriv, or not to be root'
        return
    fi
    read_only 666
    check_read_only 'no place for the work file' 'cannot open the lock file'
    elsewhere="work.database=$box/anyone/work.db"
    read_only 666 --set "$elsewhere"
    check_read_only 'no place for a journal' 'shop.db'
    read_only 444 --set "$elsewhere"
    check_read_only 'a database without write permission' 'read-only'
}

# The whole file system is read-only: nothing can be written anywhere near the database.
read_only_disk() {
    copy_of next
    mkdir "$box/sealed"
    if ! unshare -rm mount -t tmpfs none "$box/sealed" 2>/dev/null; then
        skip 'a read-only disk: no mount in a namespace here'
        return
    fi
    before=$(digest "$SHOP")
    code=0
    unshare -rm sh -eu -c '
        mount -t tmpfs none "$1/sealed"
        cp "$SHOP" "$SHOP.work" "$1/sealed"
        mount -o remount,ro "$1/sealed"
        code=0
        SHOP=$1/sealed/shop.db "$1/nightjar" run "$1/shop.yaml" || code=$?
        cmp "$SHOP" "$1/sealed/shop.db" || exit 99
        exit "$code"' sh "$box" >"$box/out" 2>"$box/err" || code=$?
    expect 'exit code' [ "$code" -eq 73 ]
    expect 'message' grep -q -i 'read-only' "$box/err"
    expect 'the database' [ "$(digest "$SHOP")" = "$before" ]
    verdict 'a read-only disk'
}

# in_room KIB: runs shop.db on a disk with that much room left; the files come back to shop.db
in_room() {
    used=$(du -k "$SHOP" "$SHOP.work" | awk '{n += $1} END {print n}')
    code=0
    unshare -rm sh -eu -c '
        mount -t tmpfs -o size="$1"k none "$2/disk"
        cp "$SHOP" "$SHOP.work" "$2/disk"
        code=0
        SHOP=$2/disk/shop.db "$2/nightjar" run "$2/shop.yaml" || code=$?
        umask 022
        cp "$2"/disk/shop.db* "$2"
        exit "$code"' sh "$((used + $1))" "$box" >"$box/out" 2>"$box/err" || code=$?
}

# limited BLOCKS: the same by a limit on the size of files, in 512-byte blocks
limited() {
    code=0
    (
        ulimit -f "$1"
        exec "$program" run "$box/shop.yaml"
    ) >"$box/out" 2>"$box/err" || code=$?
}

# check_full NAME: a run that found no room, or just enough
check_full() {
    expect 'exit code' [ "$code" -eq 74 -o "$code" -eq 0 ]
    [ "$code" -eq 0 ] || n_full=$((n_full + 1))
    [ "$code" -eq 0 ] || expect 'published rows' [ "$(published)" = "$yesterday" ]
    expect 'own rows' [ "$(own_rows)" = "$own" ]
    expect 'files' [ "$(integrity)" = 'ok ok' ]
    nightjar run
    expect 'exit code with room' [ "$code" -eq 0 ]
    expect 'published rows with room' [ "$(published)" = "$this_morning" ]
    verdict "$1"
}

full_disk() {
    n_full=0
    copy_of next
    n_blocks=$(($(stat -c %s "$SHOP.work") / 512))
    own=$(own_rows)
    mkdir "$box/disk"
    if unshare -rm mount -t tmpfs none "$box/disk" 2>/dev/null; then
        rooms='8 40 80 120 150 180 220 260'
        [ -z "$NIGHTJAR_SOAK" ] || rooms=$(seq 8 9 278)
        for room in $rooms; do
            copy_of next
            in_room "$room"
            check_full "a disk with $room KiB left"
        done
        expect 'runs that found no room' [ "$n_full" -ge 3 ]
        verdict 'full disks were met'
    else
        skip 'full disk: no mount in a namespace here; file size limits only'
    fi
    # the larger of the two files meets its limit first: the work file, then the database
    for more in 0 100; do
        copy_of next
        limited "$((n_blocks + more))"
        check_full "a work file of at most $((n_blocks + more)) blocks"
    done
    for more in 0 100 200 300; do
        copy_of next
        sql 'CREATE TABLE ballast AS SELECT zeroblob(1000000)'
        limited "$(($(stat -c %s "$SHOP") / 512 + more))"
        check_full "a database that may grow by $more blocks"
    done
}

# closed CODE COMMAND...: stdout closed, then full; nothing of it ends in the database
closed() {
    expected=$1 command=$2
    shift 2
    copy_of first
    before=$(digest "$SHOP")
    code=0
    "$program" "$command" "$box/shop.yaml" "$@" >&- 2>"$box/err" || code=$?
    expect 'exit code, closed' [ "$code" -eq "$expected" ]
    code=0
    "$program" "$command" "$box/shop.yaml" "$@" >/dev/full 2>"$box/err" || code=$?
    expect 'exit code, full' [ "$code" -eq "$expected" ]
    expect 'the database' [ "$(digest "$SHOP")" = "$before" ]
    verdict "$command with a stdout that takes nothing ($expected)"
}

# An application's settings of its file are its own: WAL stays WAL, its numbers stay.
wal_source() {
    copy_of next
    sql 'PRAGMA journal_mode = WAL; PRAGMA user_version = 42; PRAGMA application_id = 7' >"$box/out"
    nightjar run
    expect 'exit code' [ "$code" -eq 0 ]
    expect 'published rows' [ "$(published)" = "$this_morning" ]
    expect 'settings' [ "$(sql 'PRAGMA journal_mode; PRAGMA user_version; PRAGMA application_id' |
        tr '\n' ' ')" = 'wal 42 7 ' ]
    expect 'files' [ "$(integrity)" = 'ok ok' ]
    verdict 'a database in WAL mode stays as it is set'
}

locked 'a source locked by a writer' 'BEGIN EXCLUSIVE'
locked 'an output locked by a writer' 'BEGIN IMMEDIATE'
wal_source
odd_table
busy_user
left_journal
read_only_folders
read_only_disk
full_disk
closed 74 runs
closed 74 plan
closed 74 check
closed 74 recommend --user 1
closed 74 similar --item 1
closed 0 run # prints nothing, so nothing is lost
end_of_tests
