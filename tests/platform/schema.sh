#!/bin/sh
# An editor and `nightjar check` say the same of a pipeline file: thousands of odd values, see schema.js.
# Skipped where node has no ajv.
set -u
. "$(dirname "$0")/../support/tap.sh"
NODE_PATH=${NODE_PATH:-/usr/share/nodejs}
export NODE_PATH
if node -e 'require("ajv")' 2>/dev/null; then
    "$PROGRAM" generate "$box/demo.db" --until 2026-01-01 --users 300 --items 200 --events 3000 >/dev/null
    check 'the schema and check agree' node tests/platform/schema.js "$PROGRAM" schemas/pipeline.schema.json "$box"
else
    skip 'no ajv (sh .ci/packages.sh soak)'
fi
end_of_tests
