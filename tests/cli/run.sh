#!/bin/sh
# Golden cases of the command line. A case is a folder under tests/cli/cases:
#     cmd      a shell script, run in an empty folder of its own that holds the files of
#              tests/cli/fixtures and shop.db, a small generated shop; `nightjar` is the program
#     exit     the expected exit code
#     stdout   the expected output, byte for byte; no file: anything goes
#     stderr   the same for stderr; the time of "generation N of TIME" is WHEN
# Where a command fails, shop.db must be as it was. UPDATE=1 writes what is missing or differs
# instead of comparing. CASES="a b" limits the run.
set -u
: "${PROGRAM:=$(pwd)/build/release/nightjar}"
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d "${TMPDIR:-/tmp}/nightjar-cli.XXXXXX") || exit 1
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
passed=0
failed=0

mkdir "$folder/bin" "$folder/seed" "$folder/case"
ln -s "$PROGRAM" "$folder/bin/nightjar"
PATH="$folder/bin:$PATH"
export PATH
cp "$here"/fixtures/* "$folder/seed/"
nightjar generate "$folder/seed/shop.db" --users 150 --items 60 --events 3000 --days 60 --quiet ||
    exit 1

# differs FILE: the case's golden file against what came out
differs() {
    if [ -n "${UPDATE:-}" ]; then
        cp "$folder/$1" "$case/$1"
        return 1
    fi
    [ -f "$case/$1" ] && ! cmp -s "$case/$1" "$folder/$1"
}

complain() {
    failed=$((failed + 1))
    echo "FAILED: tests/cli/cases/$name: $1"
}

for case in "$here"/cases/*/; do
    case=${case%/}
    name=$(basename "$case")
    if [ -n "${CASES:-}" ]; then
        case " $CASES " in *" $name "*) ;; *) continue ;; esac
    fi
    rm -rf "$folder/case" && mkdir "$folder/case" && cp "$folder"/seed/* "$folder/case/"
    before=$(cksum <"$folder/case/shop.db")
    (cd "$folder/case" && exec sh "$case/cmd") >"$folder/stdout" 2>"$folder/stderr" </dev/null
    echo $? >"$folder/exit"
    for output in stdout stderr; do
        sed -E 's/(generation [0-9]+ of )[-0-9T:]+Z/\1WHEN/' "$folder/$output" >"$folder/masked"
        mv "$folder/masked" "$folder/$output"
    done
    if differs exit; then
        complain "exit $(cat "$folder/exit"), expected $(cat "$case/exit")"
        cat "$folder/stdout" "$folder/stderr"
    elif differs stdout; then
        complain "stdout"
        diff "$case/stdout" "$folder/stdout"
    elif differs stderr; then
        complain "stderr"
        diff "$case/stderr" "$folder/stderr"
    elif [ "$(cat "$folder/exit")" != 0 ] &&
        [ "$before" != "$(cksum <"$folder/case/shop.db" 2>/dev/null)" ]; then
        complain "shop.db was changed"
    else
        passed=$((passed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
