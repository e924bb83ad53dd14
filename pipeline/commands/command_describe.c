/* nightjar describe: what the option tables say. */
#include "config/describe.h"

#include "commands/command.h"

static enum status_code find_stage(const struct stage_registry *registry, const char *name,
                                   const struct stage **out, struct status *status)
{
    enum { MAX_STAGES = 64 };
    const char *names[MAX_STAGES] = {NULL};
    size_t n = 0;
    for (; n < MAX_STAGES && registry->stages[n] != NULL; n++) {
        names[n] = registry->stages[n]->name;
        if (strcmp(names[n], name) == 0) {
            *out = registry->stages[n];
            return STATUS_OK;
        }
    }
    return command_unknown("describe: unknown stage", name, strlen(name), names, n, "describe",
                           status);
}

static enum status_code run_describe(const struct command_environment *environment,
                                     const struct command_line *line, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf text = {0};
    const struct stage *stage = NULL;
    bool schema = command_flag_count(line, "--schema") > 0;
    bool markdown = command_flag_count(line, "--markdown") > 0;
    if (schema + markdown + (line->n_arguments > 0) > 1) {
        return status_set(status, STATUS_USAGE,
                          "describe: a stage, --schema and --markdown exclude one another");
    }
    if (line->n_arguments > 0) {
        TRY(find_stage(environment->registry, line->arguments[0], &stage, status));
    }
    if (schema) {
        TRY(describe_schema(environment->registry, &text, status));
    } else if (markdown) {
        describe_markdown(environment->registry, &text);
    } else {
        describe_text(environment->registry, stage, &text);
    }
    TRY(buf_check(&text, status));
    fwrite(buf_text(&text), 1, text.length, environment->out);
    TRY(command_flush(environment->out, status));
done:
    buf_release(&text);
    return code;
}

static const struct command_flag flags[] = {
    {.name = "--schema", .help = "the JSON Schema (draft-07) of pipeline files, for editors"},
    {.name = "--markdown", .help = "the reference page of all stages"},
    {.name = NULL}};

const struct command command_describe = {
    .name = "describe",
    .summary = "explain the stages and their options",
    .usage = "[STAGE] [options]",
    .description = "Lists the stages and the top level of a pipeline file, or the options, inputs "
                   "and outputs of one stage.",
    .max_arguments = 1,
    .flags = flags,
    .run = run_describe};
