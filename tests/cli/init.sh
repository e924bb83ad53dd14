#!/bin/sh
# nightjar init on databases of well-known kinds: a file of tests/cli/schemas each, whose comments say what is
# expected of the configuration:
#     -- expect TEXT     stands in it, blanks, line ends and marks of comments apart
#     -- without TEXT    does not
#     -- exit CODE       there is none, the exit code is this
#     -- says TEXT       stands in the message
#     -- run             it is run, too, not only checked
# Then the questions, on a terminal, and that of drop.
set -u
. "$(dirname "$0")/../support/tap.sh"
cd "$box" || exit 1

# folded FILE: its words, a blank between them
folded() {
    sed 's/^# //' "$1" | tr -s ' \n' '  '
}

# said PATTERN FILE: what the comments of that kind say
said() {
    sed -n "s/^-- $1 \{0,1\}//p" "$2"
}

# has FILE TEXT
has() {
    case $(folded "$1") in *"$(printf %s "$2" | tr -s ' ')"*) ;; *) return 1 ;; esac
}

for schema in "$root"/tests/cli/schemas/*.sql; do
    name=$(basename "$schema" .sql)
    { echo 'BEGIN;' && cat "$schema" && echo 'COMMIT;'; } | sqlite3 -batch "$name.db" || fail "$name: the schema"
    before=$(cksum <"$name.db")
    "$PROGRAM" init "$name.db" >out 2>err </dev/null
    code=$?
    wrong=
    [ "$code" -eq "$(said exit "$schema" | grep . || echo 0)" ] || wrong="exit code $code"
    [ "$before" = "$(cksum <"$name.db")" ] || wrong="$wrong; the database was changed"
    said says "$schema" | while read -r text; do
        has err "$text" || echo "does not say: $text"
    done >missing
    if [ "$code" -eq 0 ]; then
        said expect "$schema" | while read -r text; do
            has "$name.yaml" "$text" || echo "lacks: $text"
        done >>missing
        said without "$schema" | while read -r text; do
            ! has "$name.yaml" "$text" || echo "has: $text"
        done >>missing
        "$PROGRAM" check "$name.yaml" >out 2>>err || wrong="$wrong; check refuses it"
        sed 's/^#\(  - features\|      \)/\1/' "$name.yaml" >side.yaml
        cmp -s side.yaml "$name.yaml" || "$PROGRAM" check side.yaml >out 2>>err ||
            wrong="$wrong; check refuses it with the side data"
        if grep -q '^-- run' "$schema" && [ -z "$sanitized" ]; then
            "$PROGRAM" run "$name.yaml" --publish-anyway --set stages.train.epochs=2 2>>err ||
                wrong="$wrong; run refuses it"
        fi
    elif [ -e "$name.yaml" ]; then
        wrong="$wrong; a file was written"
    fi
    if [ -z "$wrong" ] && [ ! -s missing ]; then
        pass "$name"
    else
        echo "$wrong" >>missing
        cat "$name.yaml" >>missing 2>/dev/null
        fail "$name" missing err
    fi
done

# answered ANSWERS: init at a terminal, which hears them
answered() {
    rm -f forum.yaml
    # shellcheck disable=SC2059
    printf "$1" | timeout 60 script -qec "'$PROGRAM' init forum.db" typed >screen 2>&1
}

answered '9\n2\n'
# in one line or two, as the answers were typed before the question or after it
check 'a wrong number is asked for again' [ "$(grep -o '1 to 2' screen | grep -c .)" -eq 2 ]
check 'the second choice' has forum.yaml 'FROM likes'
check 'nothing is guessed' [ -z "$(grep guessed forum.yaml)" ]
answered '\n2\n'
check 'an empty line is the first choice, and a table can stand alone' \
    [ "$(grep -c 'FROM thread_views$' forum.yaml) $(grep -c 'FROM posts$' forum.yaml)" = '1 0' ]
answered ''
check 'the end of the input ends the questions' has forum.yaml 'guessed: which tables tell'
rm -f forum.yaml
: >screen
# a terminal tells of it who is there by then
{
    while ! grep -q '1 to' screen; do sleep 0.02; done
    printf '\003'
} | timeout 60 script -qec "'$PROGRAM' init forum.db" typed >screen 2>&1
check 'an interrupt writes nothing' [ ! -e forum.yaml ]
check '--yes asks nothing' sh -c "script -qec \"'$PROGRAM' init forum.db --yes\" typed </dev/null >screen && ! grep '1 to' screen"

# drop asks, too: webshop_events was run
if [ -z "$sanitized" ]; then
    dropped() {
        printf "$1" | timeout 60 script -qec "'$PROGRAM' drop webshop_events.yaml" typed >screen 2>&1
        sqlite3 webshop_events.reco.db "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'recommendations%'"
    }
    check 'drop takes no for an answer' [ "$(dropped 'n\n')" -gt 1 ]
    check 'and an empty line' [ "$(dropped '\n')" -gt 1 ]
    check 'and drops at a yes' [ "$(dropped 'y\n')" -eq 0 ]
fi
end_of_tests
