#!/bin/sh
# README.md and the other pages against the program: links lead somewhere, commands and options exist,
# examples do what is said of them. PROGRAM is the nightjar to test.
set -u
. "$(dirname "$0")/../support/tap.sh"
mkdir "$box/bin" "$box/blocks" "$box/shop"
ln -s "$PROGRAM" "$box/bin/nightjar"
PATH="$box/bin:$PATH"
pages="README.md CONTRIBUTING.md tests/bench/README.md $(echo pipeline/commands/topics/*.md)"

check 'README.md can be read in one go' [ "$(wc -c <README.md)" -lt 10240 ]

# link PAGE TARGET: a file beside the page, with the heading that the anchor names
link() {
    file=${2%%#*}
    [ -z "$file" ] && file=$1 || file=$(dirname "$1")/$file
    [ -e "$file" ] || return 1
    case $2 in *'#'*) ;; *) return 0 ;; esac
    sed -n 's/^##* //p' "$file" | tr 'A-Z ' 'a-z-' | tr -dc 'a-z0-9_\n-' | grep -qx -- "${2#*#}"
}
for page in $pages; do
    grep -o '](\([^)]*\))' "$page" | sed 's/^](//; s/)$//; /^https*:/d' >"$box/targets"
    while read -r target; do
        check "$page links to $target" link "$page" "$target"
    done <"$box/targets"
done

# files that the pages name between backticks; in CONTRIBUTING.md those of pipeline/ stand without it
named() {
    [ -e "$1" ] || [ -e "pipeline/$1" ]
}
# shellcheck disable=SC2086,SC2016
grep -oh '`[a-z_/-]*/[a-z_-]*\.[a-z]*`' $pages | tr -d '`' | grep -v '^build/' | sort -u >"$box/names"
while read -r name; do
    check "$name is there" named "$name"
done <"$box/names"

# fenced blocks, one a file: PAGE.N.LANGUAGE, without the indentation of the fence
for page in $pages; do
    awk -v name="$box/blocks/$(echo "$page" | tr / .)" '
        /^ *```/ {
            inside = !inside
            indent = index($0, "`") - 1
            file = name "." ++n "." substr($0, indent + 4)
            next
        }
        inside {print substr($0, indent + 1) > file}' "$page"
done

# every `nightjar COMMAND` and `COMMAND --flag`, in a block or between backticks: both exist
commands=$(nightjar help | sed -n '/^Commands/,/^$/s/^  \([a-z]*\) .*/\1/p' | tr '\n' ' ')
command_line() {
    case " $commands " in *" $1 "*) ;; *) return 1 ;; esac
    case $1,${2:-} in help,[a-z]* | describe,[a-z]*) nightjar "$1" "$2" || return 1 ;; esac
    for word in "$@"; do
        case $word in --*) nightjar "$1" --help | grep -q -- "^  $word\( \|\$\)" || return 1 ;; esac
    done
}
{
    cat "$box"/blocks/*.sh "$box"/blocks/*.text | grep -o 'nightjar [a-z].*' | sed 's/^nightjar //'
    # shellcheck disable=SC2016
    cat README.md pipeline/commands/topics/*.md | grep -o '`[^`]*`' | tr -d '`' |
        sed -n 's/^nightjar \([a-z]\)/\1/p; /^\('"$(echo "$commands" | sed 's/ $//; s/ /\\|/g')"'\) --/p'
} | sed 's/STAGE/train/; s/TOPIC/log/; s/[>|#].*//' | sort -u >"$box/lines"
check 'there are command lines' [ -s "$box/lines" ]
while read -r line; do
    # shellcheck disable=SC2086
    check "nightjar $line" command_line $line
done <"$box/lines"

# what is printed fits a terminal
for topic in $(nightjar help | sed -n '/^Topics/,/^$/s/^  \([a-z-]*\) .*/\1/p') $commands; do
    nightjar help "$topic" | awk 'length > 80' >"$box/wide"
    check "nightjar help $topic stays within 80 columns" [ ! -s "$box/wide" ]
done

# pieces of a configuration: their options and values are known
log='interactions: SELECT user_id, item_id, event, created_at FROM events'
for block in "$box"/blocks/*.yaml; do
    {
        grep -q '^pipeline:' "$block" || echo 'pipeline: piece'
        grep -q '^pipeline:\|^source:' "$block" || printf 'source:\n  database: shop.db\n'
        grep -q '^ *interactions: [S>]\|^source:\|^pipeline:' "$block" || echo "  $log"
        grep -q '^  - ' "$block" && ! grep -q '^stages:' "$block" && echo 'stages:'
        cat "$block"
        grep -q '^  - ' "$block" || printf 'stages:\n  - interactions: {}\n'
    } >"$box/piece.yaml"
    # that a stage of a piece needs others is no mistake
    check "a piece of $(basename "$block" .yaml)" \
        [ -z "$(nightjar plan "$box/piece.yaml" 2>&1 | grep 'piece.yaml:[0-9]' | grep -v 'needs `')" ]
done

# the quick start as it stands, on a small shop; then what the pages ask the results
cd "$box/shop" || exit 1
cp "$box"/blocks/README.md.*.yaml shop.yaml
nightjar generate shop.db --until 2026-01-01 --users 150 --items 60 --events 3000 --days 60 --quiet
says_init() {
    nightjar init shop.db --output - --yes | grep -v '^#' >said.yaml
    grep -v '^#' shop.yaml | diff said.yaml -
}
check 'the quick start is what init writes' says_init
check 'the quick start is checked' nightjar check shop.yaml
check 'the quick start runs' nightjar run shop.yaml --publish-anyway
# nights whose score is that of the towers alone
sed 's/pairs: {}/pairs: {item_item: {}}/; s/train: {}/train: {dimension: 8, epochs: 2}/' shop.yaml >towers.yaml
for temperature in 0.2 0.4; do
    check 'and runs' nightjar run towers.yaml --publish-anyway --set stages.train.temperature=$temperature
done
check 'yesterday is shown again' nightjar rollback shop.yaml
cat "$box"/blocks/*.sh | sed -e :a -e '/\\$/{N;s/\\\n//;ta' -e '}' | grep '^sqlite3 [a-z.]*db  *"SELECT' >"$box/lines"
while read -r line; do
    check "$line" sh -c "$line"
done <"$box/lines"
for block in "$box"/blocks/*.sql; do
    database=shop.reco.db
    grep -q ATTACH "$block" && database=shop.db
    sed -i "s,/usr/local/lib/nightjar/nightjar,$root/$BUILD/nightjar," "$block"
    check "the SQL of $(basename "$block")" sh -c "sqlite3 -batch $database <'$block'"
done
for block in "$box"/blocks/*.python; do
    check "the Python of $(basename "$block")" python3 "$block"
done
# the score of a pair, out of its vectors, is the published one, after a rollback too
scores() {
    python3 "$(grep -l temperature "$box"/blocks/*.python)" |
        awk '{exit !(NF == 2 && ($1 - $2) ^ 2 < 1e-8)}'
}
check 'the score of a pair' scores

end_of_tests
