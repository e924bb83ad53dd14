/* The option tables for people: text for a terminal and the reference page in Markdown. */
#include "config/describe.h"

enum { TEXT_WIDTH = 88, OPTION_INDENT = 2, HELP_INDENT = 6, NAME_WIDTH = 18 };

static void add_spaces(struct buf *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_add_char(out, ' ');
    }
}

/* `text` broken at spaces into lines of at most TEXT_WIDTH bytes, each after `indent` spaces. */
static void add_wrapped(struct buf *out, const char *text, size_t indent)
{
    size_t used = 0;
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (used > 0 && used + 1 + word > TEXT_WIDTH) {
            buf_add_char(out, '\n');
            used = 0;
        }
        if (used == 0) {
            add_spaces(out, indent);
            used = indent;
        } else {
            buf_add_char(out, ' ');
            used++;
        }
        buf_add(out, text, word);
        used += word;
        text += word;
        text += strspn(text, " ");
    }
    buf_add_char(out, '\n');
}

/* "a whole number from 1 to 500 epochs; default 40" */
static void add_facts(struct buf *out, const struct option *option)
{
    option_allowed(option, out);
    if (option->required) {
        buf_add_text(out, "; required");
    } else if (option->default_text != NULL) {
        buf_addf(out, "; default %s",
                 option->default_text[0] == '\0' ? "the empty text" : option->default_text);
    }
    if (option->search != NULL) {
        buf_addf(out, "; tune tries %s", option->search);
    }
}

/* Nested tables follow their group with the group's name in front: the depth is that of the tables.
 */
static void add_options_text(struct buf *out, const struct option *table, const char *prefix)
{
    struct buf line = {0};
    for (const struct option *o = table; o->name != NULL; o++) {
        buf_clear(&line);
        buf_addf(&line, "%s%s", prefix, o->name);
        size_t length = line.length;
        add_spaces(&line, length < NAME_WIDTH ? NAME_WIDTH - length : 0);
        add_spaces(out, OPTION_INDENT);
        buf_add_text(out, buf_text(&line));
        buf_add_text(out, "  ");
        add_facts(out, o);
        buf_add_char(out, '\n');
        if (o->help != NULL) {
            add_wrapped(out, o->help, HELP_INDENT);
        }
        if (o->group != NULL) {
            buf_clear(&line);
            buf_addf(&line, "%s%s.%s", prefix, o->name, o->type == OPTION_GROUP_MAP ? "NAME." : "");
            add_options_text(out, o->group, buf_text(&line));
        }
    }
    out->failed = out->failed || line.failed;
    buf_release(&line);
}

static void add_artifacts_text(struct buf *out, const char *title,
                               const struct stage_artifact *artifacts)
{
    enum { ARTIFACT_WIDTH = 20 };
    if (artifacts == NULL || artifacts->name == NULL) {
        return;
    }
    buf_addf(out, "\n%s\n", title);
    for (const struct stage_artifact *a = artifacts; a->name != NULL; a++) {
        const char *help = a->help == NULL ? "" : a->help;
        const char *when = a->optional ? " (when there is one)" : "";
        bool is_bare = help[0] == '\0' && when[0] == '\0'; /* no blanks at the end of a line */
        buf_addf(out, "  %-*s%s%s\n", is_bare ? 0 : ARTIFACT_WIDTH, a->name, help, when);
    }
}

static void describe_one(const struct stage *stage, struct buf *out)
{
    buf_addf(out, "%s\n", stage->name);
    add_wrapped(out, stage->summary, OPTION_INDENT);
    if (stage->repeatable) {
        buf_add_text(out, "  It may stand in a pipeline several times.\n");
    }
    add_artifacts_text(out, "Reads", stage->inputs);
    add_artifacts_text(out, "Writes", stage->outputs);
    buf_add_text(out, "\nOptions\n");
    if (stage->options->name == NULL) {
        buf_add_text(out, "  none\n");
    }
    add_options_text(out, stage->options, "");
}

void describe_text(const struct stage_registry *registry, const struct stage *stage,
                   struct buf *out)
{
    if (stage != NULL) {
        describe_one(stage, out);
        return;
    }
    buf_add_text(out, "Stages (nightjar describe STAGE shows one)\n");
    for (size_t i = 0; registry->stages[i] != NULL; i++) {
        buf_addf(out, "  %s\n", registry->stages[i]->name);
        add_wrapped(out, registry->stages[i]->summary, HELP_INDENT);
    }
    buf_add_text(out, "\nTop level of a pipeline file\n");
    add_options_text(out, plan_options, "");
    buf_add_text(out, "  stages              a list of stages, run in this order; required\n");
    add_wrapped(out,
                "Each entry is a stage's name, or a map with the name as its only key and the "
                "stage's options below it.",
                HELP_INDENT);
}

/* A cell of a table: bars and line breaks would end it. */
static void add_cell(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|') {
            buf_add_text(out, "\\|");
        } else {
            buf_add_char(out, *text == '\n' ? ' ' : *text);
        }
    }
}

static void add_rows_markdown(struct buf *out, const struct option *table, const char *prefix)
{
    struct buf text = {0};
    for (const struct option *o = table; o->name != NULL; o++) {
        buf_addf(out, "| `%s%s` | ", prefix, o->name);
        buf_clear(&text);
        option_allowed(o, &text);
        add_cell(out, buf_text(&text));
        buf_add_text(out, " | ");
        if (o->required) {
            buf_add_text(out, "required");
        } else if (o->default_text != NULL) {
            buf_clear(&text);
            buf_addf(&text, "`%s`", o->default_text[0] == '\0' ? "\"\"" : o->default_text);
            add_cell(out, buf_text(&text));
        }
        buf_add_text(out, " | ");
        add_cell(out, o->help == NULL ? "" : o->help);
        if (o->search != NULL) {
            buf_addf(out, " `tune` tries %s.", o->search);
        }
        buf_add_text(out, " |\n");
        if (o->group != NULL) {
            buf_clear(&text);
            buf_addf(&text, "%s%s.%s", prefix, o->name, o->type == OPTION_GROUP_MAP ? "NAME." : "");
            add_rows_markdown(out, o->group, buf_text(&text));
        }
    }
    out->failed = out->failed || text.failed;
    buf_release(&text);
}

static void add_table_markdown(struct buf *out, const struct option *table)
{
    if (table->name == NULL) {
        buf_add_text(out, "\nNo options.\n");
        return;
    }
    buf_add_text(out, "\n| option | allowed | default | meaning |\n|---|---|---|---|\n");
    add_rows_markdown(out, table, "");
}

static void add_artifacts_markdown(struct buf *out, const char *verb,
                                   const struct stage_artifact *artifacts)
{
    if (artifacts == NULL || artifacts->name == NULL) {
        return;
    }
    buf_addf(out, "\n%s\n\n", verb);
    for (const struct stage_artifact *a = artifacts; a->name != NULL; a++) {
        buf_addf(out, "- `%s`%s%s%s\n", a->name, a->help == NULL ? "" : ": ",
                 a->help == NULL ? "" : a->help, a->optional ? " (when there is one)" : "");
    }
}

static void add_syntax_markdown(struct buf *out)
{
    buf_add_text(
        out,
        "\nA value may hold `${VAR}` or `${VAR:-default}`, replaced from the environment; an "
        "unset\n"
        "variable without a default is a mistake, and `$$` is a literal dollar sign. `${RANK}` "
        "and\n"
        "`${RANKS}` are 0 and 1, or those of several ranks (`nightjar help ranks`). Inside `{ }` "
        "and\n"
        "`[ ]` a value with a variable needs quotes. Relative paths start at the configuration's\n"
        "folder. Only `true` and `false` are booleans. Text that looks like a number or a boolean\n"
        "needs quotes; a number must not have them, unless it comes from a variable. Anchors,\n"
        "aliases, tags and duplicate keys are refused. Dots below separate a group from its "
        "options;\n"
        "a required option of a group is required when the group is given. `--set PATH=VALUE` on "
        "the\n"
        "command line replaces a value: `--set seed=7`, `--set stages.train.epochs=3`,\n"
        "`--set stages.import.2.file=x.csv` for the second `import`.\n");
}

void describe_markdown(const struct stage_registry *registry, struct buf *out)
{
    buf_add_text(out, "# Options of a pipeline file\n\n"
                      "Made from the option tables by `make docs`; do not edit.\n");
    add_syntax_markdown(out);
    buf_add_text(out, "\n## Top level\n");
    add_table_markdown(out, plan_options);
    buf_add_text(out, "| `stages` | a list of stages, run in this order | required | Each entry is "
                      "a stage's name, or a map with the name as its only key and the stage's "
                      "options below it. |\n");
    for (size_t i = 0; registry->stages[i] != NULL; i++) {
        const struct stage *stage = registry->stages[i];
        buf_addf(out, "\n## %s\n\n%s%s\n", stage->name, stage->summary,
                 stage->repeatable ? " It may stand in a pipeline several times." : "");
        add_artifacts_markdown(out, "Reads:", stage->inputs);
        add_artifacts_markdown(out, "Writes:", stage->outputs);
        add_table_markdown(out, stage->options);
    }
}
