#!/bin/sh
# Checks the include lines against the drawing of the house (CONTRIBUTING.md): a room of the engine
# includes only itself and those of smaller numbers; stages never include one another, the YAML reader
# or the runner; a third-party header is seen by one source file. Prints what is wrong.
set -u
bad=0

# the drawing: a room and its number, a line each; rooms of one number do not know each other
order=$(sed -n '/^ 1 base/,/^```/p' CONTRIBUTING.md | awk '$1 + 0 {n = $1; $1 = $2} {print $1, n}')

# FILE INCLUDED, a line each include of our own
includes() {
    grep -H -o '^#include "[a-z_]*/[a-z_/]*\.h"' pipeline/*/*.[ch] stages/*.c stages/*/*.[ch] |
        sed -e 's/:#include "/ /' -e 's/"$//'
}

includes | awk -v order="$order" '
    BEGIN {
        n = split(order, words)
        for (i = 1; i < n; i += 2) rank[words[i]] = words[i + 1]
    }
    {
        split($1, mine, "/"); split($2, theirs, "/")
        room = mine[1] == "pipeline" ? mine[2] : "stages"
        other = theirs[1]
        # stages/NAME.c and the files of stages/NAME/ make one stage
        sub(/\.c$/, "", mine[2])
        if (!rank[room]) print $1 ": the room " room " is not in the order"
        else if (room == "stages" && other == "stages" && mine[2] == theirs[2]) next
        else if (room == "stages" && (other == "stages" || $2 ~ /^(config\/yaml_doc|run\/runner)/))
            print $1 ": a stage includes another stage, the YAML reader or the runner: " $2
        else if (room != other && rank[other] >= rank[room])
            print $1 ": " room " includes " $2 ", which has no smaller number"
    }' | grep . && bad=1

# no circle: a module is a source with its header
includes | sed -e 's/^pipeline\///' -e 's/\.[ch] / /' -e 's/\.h$//' | awk '$1 != $2' |
    tsort 2>&1 >/dev/null | sed -e 's/^tsort: -: input contains a loop:/a circle of files:/' -e 's/^tsort: /  /' |
    grep . && bad=1

# header:the one file that may see it
for rule in cblas.h:pipeline/math/blas.c f77blas.h:pipeline/math/blas.c csv.h:pipeline/io/csv_record.c \
    yaml.h:pipeline/config/yaml_doc.c zlib.h:pipeline/io/ cJSON.h:pipeline/ xxhash.h:pipeline/base/hash.c \
    hmac.h:pipeline/base/ mpi.h:pipeline/ranks/wire_mpi.c; do
    seen=$(grep -l -E "#include <(.*/)?${rule%%:*}>" pipeline/*.c pipeline/*/*.[ch] stages/*.c)
    [ "$(echo "$seen" | wc -l)" -eq 1 ] || { echo "${rule%%:*} is seen by more than one file:" $seen && bad=1; }
    case "$seen" in
    "${rule#*:}"*) ;;
    *) echo "$seen: only ${rule#*:} may include ${rule%%:*}" && bad=1 ;;
    esac
done

grep -l '#include <sqlite3' pipeline/*.c pipeline/*/*.[ch] stages/*.c stages/*/*.[ch] |
    grep -v -e '^pipeline/store/db_[a-z_]*\.[ch]$' -e '^pipeline/extension/extension.h$' |
    sed 's/$/: only the db_* files of store may include sqlite3.h, and the extension sqlite3ext.h/' | grep . && bad=1

# who opens files that we write
grep -n -E '\b(creat\(|mkstemp|fopen\([^)]*"[wa])|O_CREAT' pipeline/*.c pipeline/*/*.c stages/*.c stages/*/*.c |
    grep -v -e '^pipeline/base/output_file.c:' -e '^pipeline/base/mem.c:.*mkstemp' |
    sed 's/$/ (only base\/output_file.c opens files for writing)/' | grep . && bad=1

# snake_case names, unique across the tree
find pipeline stages tests -name '*.c' | sed 's|.*/||' | sort | uniq -d | sed 's/^/two files are called /' |
    grep . && bad=1
exit "$bad"
