#!/bin/sh
# Checks the include lines against the layers of the house: a file of the engine includes only its
# own layer and layers before it; config and store do not know each other; stages never include one
# another, the YAML reader or the runner; a third-party header is seen by one source file.
set -u
bad=0

complain() {
    echo "$1"
    bad=1
}

# rank LAYER: its place in base <- {math, io, config, store} <- model <- run <- commands
rank() {
    case "$1" in
    base) echo 0 ;; math | io | config | store) echo 1 ;; model) echo 2 ;; run) echo 3 ;;
    commands) echo 4 ;; *) echo 9 ;;
    esac
}

for file in pipeline/*/*.[ch]; do
    layer=$(echo "$file" | cut -d/ -f2)
    for include in $(sed -n 's/^#include "\([a-z_]*\)\/.*/\1/p' "$file"); do
        [ "$include" = "$layer" ] && continue
        mine=$(rank "$layer")
        theirs=$(rank "$include")
        if [ "$theirs" -gt "$mine" ]; then
            complain "$file: layer $layer includes $include, which comes after it"
        elif [ "$theirs" -eq "$mine" ]; then
            case "$layer:$include" in
            config:store | store:config) complain "$file: config and store do not know each other" ;;
            esac
        fi
    done
done

for file in stages/*.[ch] stages/*/*.[ch]; do
    [ -f "$file" ] || continue
    # stages/NAME.c and the files of stages/NAME/ make one stage
    own=$(echo "$file" | sed -E 's|^stages/([^/.]+).*|\1|')
    grep -n -E '#include "(stages/|config/yaml_doc|run/runner)' "$file" /dev/null | grep -v "\"stages/$own/" &&
        complain "$file: a stage includes another stage, the YAML reader or the runner"
done

# header:the one file that may see it
for rule in cblas.h:pipeline/math/blas.c sqlite3.h:pipeline/store/db.c csv.h:pipeline/io/csv_reader.c \
    yaml.h:pipeline/config/yaml_doc.c zlib.h:pipeline/io/ cJSON.h:pipeline/ xxhash.h:pipeline/base/hash.c \
    hmac.h:pipeline/base/keyed_hash.c; do
    header=${rule%%:*}
    owner=${rule#*:}
    for file in $(grep -l -E "#include <(.*/)?$header>" pipeline/*.c pipeline/*/*.[ch] stages/*.c 2>/dev/null); do
        case "$file" in
        "$owner"*) ;;
        *) complain "$file: only $owner may include $header" ;;
        esac
    done
    count=$(grep -l -E "#include <(.*/)?$header>" pipeline/*.c pipeline/*/*.[ch] stages/*.c 2>/dev/null | wc -l)
    [ "$count" -gt 1 ] && complain "$header is included by $count files, one is allowed"
done

# snake_case names, unique across the tree
find pipeline stages tests -name '*.c' | sed 's|.*/||' | sort | uniq -d | while read -r name; do
    echo "two files are called $name"
done | grep . && bad=1
exit "$bad"
