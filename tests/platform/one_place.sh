#!/bin/sh
# What a contributor adds stands in one place: a copy of the project gets a stage (a file), a loss (a row), a
# metric (its function and a row) and a train option (a field and a row), and nothing else. The program built of it
# describes, checks, runs and keeps them. BUILD is left alone.
set -u
. "$(dirname "$0")/../support/tap.sh"

copy=$box/tree
program=$copy/build/debug/nightjar
mkdir "$copy" && cp -r Makefile pipeline stages schemas configs "$copy"

cat >"$copy/stages/dummy.c" <<'END'
/* dummy: a stage that counts. */
#include "run/context.h"

struct dummy_options {
    int64_t number;
};

static const struct option options[] = {
    OPT_INT(dummy_options, "number", number, "3", 1, 9, "What is counted."), OPT_END};

static const struct stage_artifact inputs[] = {{.name = "interactions"}, {.name = NULL}};
static const struct stage_artifact outputs[] = {{.name = NULL}};

static enum status_code dummy_run(struct context *context, const void *values, struct status *status)
{
    const struct dummy_options *o = values;
    (void)status;
    context_set_rows(context, o->number);
    return STATUS_OK;
}

extern const struct stage stage_dummy;
const struct stage stage_dummy = {.name = "dummy",
                                  .summary = "Counts.",
                                  .version = 1,
                                  .options_size = sizeof(struct dummy_options),
                                  .options = options,
                                  .inputs = inputs,
                                  .outputs = outputs,
                                  .run = dummy_run};
END

# insert FILE BEFORE: puts the text of the input before the first line that has BEFORE
insert() {
    cat >"$box/text"
    awk -v before="$2" -v text="$box/text" '!done && index($0, before) {
            while ((getline line <text) > 0) print line
            done = 1
        }
        {print}
        END {exit !done}' "$copy/$1" >"$box/changed" && cp "$box/changed" "$copy/$1"
}

insert pipeline/contrast/loss.h 'ROW(bsl,' <<'END'
    ROW(dummy_loss, "softmax once more", .kind = LOSS_SOFTMAX, .row = softmax_row)                 \
END
insert pipeline/evaluation/metrics.c '#define ROW(name)' <<'END'
static double dummy_metric(const uint8_t *hits, size_t k, size_t n_relevant)
{
    return (double)(count_hits(hits, k) + n_relevant);
}

END
insert pipeline/evaluation/metrics.h 'ROW(ndcg)' <<'END'
    ROW(dummy_metric)                                                                              \
END
insert pipeline/training/trainer_input.h '    size_t dimension;' <<'END'
    double dummy_option;
END
insert pipeline/training/train_options.c '    OPT_CHOICE(train_options, "loss"' <<'END'
    OPT_FLOAT(train_options, "dummy_option", settings.dummy_option, "0.5", 0, 1, "A share."),
END

cat >"$box/shop.yaml" <<'END'
pipeline: shop
source:
  database: shop.db
  interactions: SELECT user_id, item_id, created_at FROM events
output: {database: out.db}
work: {database: work.db}
stages:
  - interactions: {split: {by: time, valid: 7d, test: 7d}}
  - dummy: {number: 7}
  - negatives: {strategy: uniform, count: 16}
  - train: {dimension: 8, epochs: 1, loss: dummy_loss, dummy_option: 0.25, metric: dummy_metric@5}
  - evaluate: {metrics: [dummy_metric@5]}
END

# run: the tiny pipeline, and what it leaves
run() {
    "$program" generate "$box/shop.db" --until 2026-01-01 --users 300 --items 60 --events 6000 &&
        "$program" run "$box/shop.yaml"
}

# left QUERY WHAT: the work database says WHAT
left() {
    [ "$(sqlite3 "$box/work.db" "$1")" = "$2" ]
}

# refused TEXT WITH: the pipeline with TEXT in place of 0.25 is refused with a message that has WITH
refused() {
    sed "s/dummy_option: 0.25/$1/" "$box/shop.yaml" >"$box/wrong.yaml"
    ! "$program" check "$box/wrong.yaml" >"$box/told" 2>&1 && grep -q -F "$2" "$box/told"
}

check 'it builds' make --no-print-directory -s -C "$copy" -j"$(nproc)" VARIANT=debug
"$program" describe train >"$box/train" 2>&1
"$program" describe evaluate >"$box/evaluate" 2>&1
"$program" describe --schema >"$box/schema" 2>&1
check 'the stage is described' "$program" describe dummy
check 'the loss, its help' grep -q 'dummy_loss: softmax once more' "$box/schema"
check 'the metric, its pattern' grep -q 'dummy_metric|ndcg' "$box/schema"
check 'the metric, its help' grep -q 'recall, dummy_metric, ndcg' "$box/evaluate"
check 'the option' grep -q 'dummy_option' "$box/train"
check 'the option and the stage in the schema' sh -c "grep -q dummy_option '$box/schema' && grep -q Counts '$box/schema'"
check 'its range' refused 'dummy_option: 2' 'allowed: a number from 0 to 1'
check 'a near miss' refused 'dummy_optoin: 1' 'did you mean "dummy_option"'
check 'a run' run
check 'the option is kept' left "SELECT count(*) FROM artifact_array WHERE name = 'setting.dummy_option'" 1
check 'the metric is measured' left "SELECT count(*) > 0 FROM run_metric WHERE name LIKE 'dummy_metric@5'" 1
check 'the stage was run' left "SELECT n_rows FROM stage_run WHERE label = 'dummy'" 7
end_of_tests
