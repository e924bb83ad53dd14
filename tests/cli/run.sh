#!/bin/sh
# Golden cases of the command line. A case is a folder under tests/cli/cases:
#     cmd      a shell script, run in an empty folder of its own that holds the files of
#              tests/cli/fixtures and shop.db, a small generated shop; `nightjar` is the program
#     exit     the expected exit code
#     stdout   the expected output, byte for byte; no file: anything goes
#     stderr   the same for stderr; the time of "generation N of TIME" is WHEN, the version
#              of SQLite VERSION
# Where a command fails, shop.db must be as it was. UPDATE=1 writes what is missing or differs
# instead of comparing. run.sh [CASE...]: these alone.
set -u
. "$(dirname "$0")/../support/tap.sh"
here=$root/tests/cli
[ $# -gt 0 ] || set -- $(ls "$here/cases")

mkdir "$box/bin" "$box/seed" "$box/case"
ln -s "$PROGRAM" "$box/bin/nightjar"
PATH="$box/bin:$PATH"
export PATH root
cp "$here"/fixtures/* "$box/seed/"
nightjar generate "$box/seed/shop.db" --until 2026-01-01 --users 150 --items 60 --events 3000 --days 60 --quiet ||
    exit 1

# differs FILE: the case's golden file against what came out
differs() {
    if [ -n "${UPDATE:-}" ]; then
        cp "$box/$1" "$case/$1"
        return 1
    fi
    [ -f "$case/$1" ] && ! diff "$case/$1" "$box/$1" >"$box/diff"
}

for name in "$@"; do
    case "$sanitized:$name" in
    yes:memory_*) skip "$name: the sanitizer's own memory counts" && continue ;;
    esac
    case=$here/cases/$name
    rm -rf "$box/case" && mkdir "$box/case" && cp "$box"/seed/* "$box/case/"
    before=$(cksum <"$box/case/shop.db")
    (cd "$box/case" && exec sh "$case/cmd") >"$box/stdout" 2>"$box/stderr" </dev/null
    echo $? >"$box/exit"
    for output in stdout stderr; do
        sed -E -e 's/(generation [0-9]+ of )[-0-9T:]+Z/\1WHEN/' \
            -e 's/^(ok    SQLite )[0-9.]+( \(without the fix of the WAL-reset race\))?$/\1VERSION/' \
            "$box/$output" >"$box/masked"
        mv "$box/masked" "$box/$output"
    done
    if differs exit; then
        fail "$name: exit $(cat "$box/exit"), expected $(cat "$case/exit")" "$box/stdout" "$box/stderr"
    elif differs stdout || differs stderr; then
        fail "$name" "$box/diff"
    elif [ "$(cat "$box/exit")" != 0 ] && [ "$before" != "$(cksum <"$box/case/shop.db" 2>/dev/null)" ]; then
        fail "$name: shop.db was changed"
    else
        pass "$name"
    fi
done
end_of_tests
