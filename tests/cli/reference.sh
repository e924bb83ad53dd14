#!/bin/sh
# The files that are made from the option tables, against the tables themselves: `make docs` brings
# schemas/ up to date. And configs/: every option that stands there must be one of the tables'.
# PROGRAM is the nightjar to test.
set -u
. "$(dirname "$0")/../support/tap.sh"

# verdict NAME CODE: on failure shows what is in out
verdict() {
    if [ "$2" -eq 0 ]; then
        pass "$1"
    else
        fail "$1" "$box/out"
    fi
}

# in_step FILE FLAG: byte for byte
in_step() {
    "$PROGRAM" describe "$2" >"$box/described" 2>"$box/out" &&
        diff "$root/$1" "$box/described" >"$box/out" 2>&1
    verdict "$1 is what \`nightjar describe $2\` prints (\`make docs\` writes it)" $?
}

in_step schemas/pipeline.schema.json --schema
in_step schemas/stages.md --markdown

# what the schema says has to be JSON for anybody, not for us alone; 1: an unknown key is refused
sqlite3 -batch :memory: "SELECT json_valid(text), json_extract(text, '\$.additionalProperties') = 0,
    json_type(text, '\$.definitions'), json_extract(text, '\$.\$schema') LIKE '%draft-07%'
    FROM (SELECT CAST(readfile('$root/schemas/pipeline.schema.json') AS TEXT) AS text)" \
    >"$box/out" 2>&1
[ "$(cat "$box/out")" = '1|1|object|1' ]
verdict 'schemas/pipeline.schema.json is a draft-07 schema' $?

# every stage that the program has is on the page and in the schema
for stage in "$root"/stages/*.c; do
    name=$(basename "$stage" .c)
    {
        grep "^## $name\$" "$root/schemas/stages.md" &&
            grep "\"$name\"" "$root/schemas/pipeline.schema.json"
    } >"$box/out"
    verdict "the stage $name is in schemas/" $?
done

# the ready pipelines, as they are copied: somewhere without their data
for config in "$root"/configs/*.yaml; do
    cp "$config" "$box/config.yaml"
    (unset NIGHTJAR_DEMO NIGHTJAR_DATA NIGHTJAR_OUT && "$PROGRAM" plan "$box/config.yaml") \
        >"$box/planned" 2>"$box/out" && [ -s "$box/planned" ] && [ ! -s "$box/out" ]
    verdict "plan $(basename "$config")" $?
    # the line that names the schema, for editors, points to it from configs/
    schema=$(sed -n 's/^# yaml-language-server: \$schema=//p' "$config")
    [ -n "$schema" ] && [ -f "$root/configs/$schema" ]
    verdict "$(basename "$config") names a schema that is there" $?
    rm -f "$box/config.yaml"
done
[ "$(ls -A "$box" | tr '\n' ' ')" = 'described out planned ' ]
verdict 'plan leaves no file behind' $?

end_of_tests
