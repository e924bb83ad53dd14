// schema.js PROGRAM SCHEMA FOLDER: puts odd values into each option of a pipeline and compares what the
// JSON Schema (by ajv) and `nightjar check` say. Only rules across fields may be unknown to the schema; what is
// wrong with a file, a table or a query is no matter of options. Prints each disagreement; exit code 1 then.
'use strict';
const fs = require('fs');
const {spawnSync} = require('child_process');
const Ajv = require('ajv');
const [program, schemaFile, folder] = process.argv.slice(2);
const schema = JSON.parse(fs.readFileSync(schemaFile));
const valid = new Ajv().compile(schema);

const base = {
    pipeline: 'demo',
    source: {database: `${folder}/demo.db`, interactions: 'SELECT user_id, item_id, event, created_at FROM events'},
    stages: [
        {import: {file: 'side.csv', table: 'side'}}, {interactions: {split: {by: 'time', valid: '7d', test: '7d'}}},
        {checks: {}}, {features: {items: {query: 'SELECT item_id, category FROM items'}}}, {pairs: {}},
        {negatives: {}}, {train: {}}, {calibrate: {}}, {evaluate: {}}, {refit: {}}, {recommend: {}}, {gate: {}},
        {report: {path: 'report.html'}}, {publish: {}}],
};
const values = ['', 'abc', 'ndcg@20', 'ndcg@0', 'recall@x', ',,', '-1', -1, 0, 0.5, 1, 1.5, 100, 1e9, 1e15, 1e30, '5m',
    '0s', '8d', '99999999w', '1T', '99999999T', '5', true, null, [], {}, ['x'], [''], [1], {x: 1}, {x: ''}, {x: {}},
    'auto', '2020-01-01', '2020-13-45'];
// rules across fields
const across = new RegExp([/without/, /exclude each other/, /has no effect on/, /takes none/, /with strategy/,
    /the whole training has/, /names a column of/, /needed beside/, /is above to/, /cannot be drawn from pool/,
    /by: auto takes/, /neither a duration .* nor a fraction/, /has no baseline/, /must differ/, /are given; allowed: one of/]
    .map((r) => r.source).join('|'));
let tried = 0;
let wrong = 0;

function attempt(path, value) {
    const document = JSON.parse(JSON.stringify(base));
    let at = document;
    for (const key of path.slice(0, -1)) {
        at = at[key] = typeof at[key] === 'object' ? at[key] : {};
    }
    at[path[path.length - 1]] = value;
    fs.writeFileSync(`${folder}/mutant.yaml`, JSON.stringify(document));
    const said = spawnSync(program, ['check', `${folder}/mutant.yaml`], {encoding: 'utf8'}).stderr.split('\n');
    const mistakes = said.filter((line) => /mutant\.yaml:\d+/.test(line));
    tried++;
    const own = mistakes.filter((line) => !across.test(line));
    if (valid(document) ? own.length > 0 : mistakes.length === 0) {
        wrong++;
        console.log(`${path.join('.')}: ${JSON.stringify(value)}: ${own[0] || 'check takes it, the schema not'}`);
    }
}

function walk(part, path) {
    for (const [name, option] of Object.entries(part.properties || {})) {
        if (path.length > 0 || name !== 'stages') {
            values.forEach((value) => attempt(path.concat(name), value));
            walk(option, path.concat(name));
        }
    }
}

walk(schema, []);
const stages = schema.definitions.stage.anyOf[1].properties;
base.stages.forEach((entry, i) => Object.keys(entry).forEach((name) => walk(stages[name], ['stages', i, name])));
console.log(`${tried} tried`);
process.exit(wrong > 0 || tried < 1000 ? 1 : 0);
