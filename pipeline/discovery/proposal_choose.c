/* From candidates to a log: what is recommended, and which tables tell of it. */
#include "discovery/proposal_parts.h"

#include <math.h>
#include <stdlib.h>

enum { GROUPS_MAX = PROPOSAL_CHOICES_MAX - 1, TEXT_MAX = 160 };

/* Logs about the same users and items. */
struct group {
    size_t n;
    const struct log_candidate *members[PROPOSAL_LOGS_MAX]; /* most rows first */
    double n_rows[PROPOSAL_LOGS_MAX], value;
};

/* ---- asking ---- */

static enum status_code choose(struct proposal *proposal, const char *question,
                               char texts[][TEXT_MAX], size_t n, size_t *answer,
                               struct status *status)
{
    const char *choices[PROPOSAL_CHOICES_MAX];
    bool asked = false;
    enum status_code code;
    for (size_t i = 0; i < n; i++) {
        choices[i] = texts[i];
    }
    TRY(proposal->request->choose(proposal->request->data, question, choices, n, answer, &asked,
                                  status));
    if (!asked) {
        buf_addf(&proposal->notes, "guessed: %s %s", question, texts[*answer]);
        for (size_t i = 0, shown = 0; i < n; i++) {
            if (i != *answer) {
                buf_addf(&proposal->notes, "%s %s", shown++ == 0 ? "; not" : " or", texts[i]);
            }
        }
        buf_add_char(&proposal->notes, '\n');
    }
done:
    return code;
}

/* ---- what is recommended ---- */

static const char *table_name(const struct proposal *proposal,
                              const struct log_candidate *candidate)
{
    return proposal->schema.tables[candidate->table].name;
}

/* Into the group of its like, or a new one. A table counts once, and the fullest ones do. */
static void put(struct proposal *proposal, struct group *groups, size_t *n_groups,
                const struct log_candidate *candidate, double n_rows)
{
    size_t g = 0;
    while (g < *n_groups &&
           !log_candidates_agree(&proposal->schema, groups[g].members[0], candidate)) {
        g++;
    }
    if (g == GROUPS_MAX) {
        return;
    }
    struct group *group = &groups[g];
    *n_groups += g == *n_groups;
    for (size_t m = 0; m < group->n; m++) {
        if (group->members[m]->table == candidate->table) {
            return;
        }
    }
    if (group->n == PROPOSAL_LOGS_MAX && group->n_rows[group->n - 1] >= n_rows) {
        return;
    }
    const double value = candidate->score + log10(n_rows + 1);
    group->value = group->n == 0 || value > group->value ? value : group->value;
    size_t at = group->n < PROPOSAL_LOGS_MAX ? group->n++ : PROPOSAL_LOGS_MAX - 1;
    for (; at > 0 && group->n_rows[at - 1] < n_rows; at--) {
        group->members[at] = group->members[at - 1];
        group->n_rows[at] = group->n_rows[at - 1];
    }
    group->members[at] = candidate;
    group->n_rows[at] = n_rows;
}

static int compare_groups(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    return (x->value < y->value) - (x->value > y->value);
}

/* Counts the rows of candidates that are (not) sure. Views stand in for tables only where there is
 * nothing else. */
static enum status_code gather(struct proposal *proposal, bool sure, bool views,
                               struct group *groups, size_t *n_groups, struct status *status)
{
    enum status_code code = STATUS_OK;
    *n_groups = 0;
    for (size_t i = 0; i < proposal->candidates.n; i++) {
        const struct log_candidate *candidate = &proposal->candidates.list[i];
        double n_rows;
        if (log_candidate_is_sure(candidate) != sure ||
            proposal->schema.tables[candidate->table].is_view != views) {
            continue;
        }
        TRY(log_facts_count(proposal->request->db, &proposal->schema, candidate, &n_rows, status));
        if (n_rows > 0 || isnan(n_rows)) {
            put(proposal, groups, n_groups, candidate, isnan(n_rows) ? 1e9 : n_rows);
        }
    }
    qsort(groups, *n_groups, sizeof *groups, compare_groups);
done:
    return code;
}

static void add_unnamable(const struct schema *schema, struct buf *text)
{
    if (schema->n_unnamable > 0) {
        buf_addf(text,
                 "%zu tables and columns are left out: their names are not UTF-8, which a "
                 "configuration is written in\n",
                 schema->n_unnamable);
    }
}

/* A log without rows has been named for that. */
static bool is_empty_log(const struct proposal *proposal, const char *table)
{
    for (size_t i = 0; i < proposal->candidates.n; i++) {
        const struct log_candidate *candidate = &proposal->candidates.list[i];
        if (log_candidate_is_sure(candidate) &&
            strcmp(table_name(proposal, candidate), table) == 0) {
            return true;
        }
    }
    return false;
}

/* What each table has, and what it lacks. */
static enum status_code refuse(const struct proposal *proposal, struct status *status)
{
    const struct schema *schema = &proposal->schema;
    struct buf text = {0};
    size_t n_shown = 0;
    for (size_t i = 0; i < proposal->candidates.n; i++) {
        const struct log_candidate *candidate = &proposal->candidates.list[i];
        if (log_candidate_is_sure(candidate)) {
            buf_addf(&text, "\n%s would be one, and has no rows", table_name(proposal, candidate));
            n_shown++;
        }
    }
    for (size_t t = 0; t < schema->n_tables && n_shown < PROPOSAL_CHOICES_MAX; t++) {
        const struct schema_table *table = &schema->tables[t];
        const char *user = NULL;
        for (size_t c = 0; c < table->n_columns && user == NULL; c++) {
            const struct schema_column *column = &table->columns[c];
            const bool refers = column->table >= 0 && schema->tables[column->table].is_people;
            user = (words_user(&column->words) >= 2 || refers) && table->key != (int)c
                       ? column->name
                       : NULL;
        }
        if (user != NULL && !is_empty_log(proposal, table->name)) {
            buf_addf(&text, "\n%s: users (%s), and no items", table->name, user);
            n_shown++;
        }
    }
    buf_add_text(&text, "\n");
    add_unnamable(schema, &text);
    enum status_code code = status_set_at(
        status, STATUS_DATA, db_path(proposal->request->db), 0, 0,
        "none of %zu tables is a log of what people chose: a row for each thing that somebody did, "
        "with a user, an item and best a time%sWhere there is one under other names, write the "
        "file by hand: `nightjar help log`",
        schema->n_tables, buf_text(&text));
    buf_release(&text);
    return code;
}

static enum status_code find_groups(struct proposal *proposal, struct group *groups,
                                    size_t *n_groups, struct status *status)
{
    enum status_code code;
    TRY(gather(proposal, true, false, groups, n_groups, status));
    if (*n_groups == 0) {
        TRY(gather(proposal, true, true, groups, n_groups, status));
    }
    if (*n_groups == 0 && proposal->request->may_ask) {
        TRY(gather(proposal, false, false, groups, n_groups, status));
    }
    if (*n_groups == 0) {
        code = refuse(proposal, status);
    }
done:
    return code;
}

static void describe_group(const struct proposal *proposal, const struct group *group, char *text)
{
    struct buf tables = {0};
    double n_rows = 0;
    for (size_t m = 0; m < group->n; m++) {
        n_rows += group->n_rows[m];
        buf_addf(&tables, "%s%s", m > 0 ? ", " : "", table_name(proposal, group->members[m]));
    }
    snprintf(text, TEXT_MAX, "%s to %s (%.0f rows of %s)",
             log_candidate_items(&proposal->schema, group->members[0]),
             log_candidate_users(&proposal->schema, group->members[0]), n_rows, buf_text(&tables));
    buf_release(&tables);
}

static enum status_code choose_group(struct proposal *proposal, struct group *groups, size_t n,
                                     const struct group **chosen, struct status *status)
{
    char texts[PROPOSAL_CHOICES_MAX][TEXT_MAX];
    size_t answer = 0;
    const bool is_sure = log_candidate_is_sure(groups[0].members[0]);
    enum status_code code = STATUS_OK;
    for (size_t g = 0; g < n; g++) {
        describe_group(proposal, &groups[g], texts[g]);
    }
    if (!is_sure) {
        snprintf(texts[n], TEXT_MAX, "none of these");
    }
    if (n > 1 || !is_sure) {
        TRY(choose(proposal, "what is recommended to whom?", texts, n + !is_sure, &answer, status));
    }
    if (answer == n) {
        TRY(refuse(proposal, status));
    }
    *chosen = &groups[answer];
done:
    return code;
}

/* ---- the tables of the log ---- */

/* Several columns could be the time: one of them is asked for. */
static enum status_code choose_time(struct proposal *proposal, struct proposed_log *log,
                                    struct log_candidate *copy, struct status *status)
{
    const int t = log->candidate->time.table;
    const struct schema_table *table = &proposal->schema.tables[t];
    char texts[PROPOSAL_CHOICES_MAX][TEXT_MAX], question[TEXT_MAX];
    int columns[PROPOSAL_CHOICES_MAX];
    size_t n = 1, answer = 0;
    enum status_code code;
    columns[0] = log->candidate->time.column;
    for (size_t c = 0; c < table->n_columns && n < PROPOSAL_CHOICES_MAX; c++) {
        if ((int)c != columns[0] &&
            words_time(&table->columns[c].words) >= words_time(&table->columns[columns[0]].words)) {
            columns[n++] = (int)c;
        }
    }
    for (size_t i = 0; i < n; i++) {
        snprintf(texts[i], TEXT_MAX, "%s", table->columns[columns[i]].name);
    }
    snprintf(question, sizeof question, "which is the time of a row of %s?", table->name);
    TRY(choose(proposal, question, texts, n, &answer, status));
    *copy = *log->candidate;
    copy->time.column = columns[answer];
    log->candidate = copy;
done:
    return code;
}

static enum status_code add_log(struct proposal *proposal, const struct log_candidate *candidate,
                                struct status *status)
{
    const struct proposal_request *request = proposal->request;
    struct proposed_log *log = &proposal->logs[proposal->n_logs];
    const struct schema_table *table = &proposal->schema.tables[candidate->table];
    struct log_candidate *copy = NULL;
    enum status_code code = STATUS_OK;
    log->candidate = candidate;
    if (candidate->other_time) {
        TRY(arena_new(&proposal->schema.arena, 1, sizeof *copy, (void **)&copy, status));
        TRY(choose_time(proposal, log, copy, status));
    }
    TRY(log_facts_read(request->db, &proposal->schema, log->candidate, request->now, &log->facts,
                       status));
    log->event = words_event_name(&table->words);
    log->event = log->event[0] != '\0' ? log->event : words_noun(&table->words);
    TRY(log_undone_find(request->db, &proposal->schema, log->candidate,
                        strcmp(log->event, "purchase") == 0, &log->undone, status));
    if (log->facts.time == LOG_TIME_UNKNOWN) {
        buf_addf(&proposal->notes,
                 "the times of %s (%s) have no form that nightjar reads; make ISO-8601 of them in "
                 "the query, and add them AS created_at\n",
                 table->name,
                 proposal->schema.tables[log->candidate->time.table]
                     .columns[log->candidate->time.column]
                     .name);
        log->facts.time = LOG_TIME_NONE;
    }
    proposal->n_logs++;
done:
    return code;
}

static void drop_log(struct proposal *proposal, size_t l, const char *why)
{
    buf_addf(&proposal->notes, "%s is left out: %s\n",
             table_name(proposal, proposal->logs[l].candidate), why);
    memmove(&proposal->logs[l], &proposal->logs[l + 1],
            (proposal->n_logs - l - 1) * sizeof *proposal->logs);
    proposal->n_logs--;
}

/* Whether one of the kinds of events that the other table names is what this table's rows are. */
static bool is_told_twice(const struct proposed_log *log, const struct proposed_log *other)
{
    for (size_t e = 0; e < other->facts.n_events; e++) {
        struct words words;
        words_split(other->facts.events[e].name, &words);
        if (strcmp(words_event_name(&words), log->event) == 0) {
            return true;
        }
    }
    return false;
}

/* Rows that stand in two tables count once; where one table has times, all must. */
static void reconcile(struct proposal *proposal)
{
    bool any_time = false;
    for (size_t l = 0; l < proposal->n_logs; l++) {
        any_time = any_time || proposal->logs[l].facts.time != LOG_TIME_NONE;
    }
    for (size_t l = proposal->n_logs; l > 0; l--) {
        struct proposed_log *log = &proposal->logs[l - 1];
        bool twice = false;
        for (size_t o = 0; o < proposal->n_logs; o++) {
            twice = twice || (o != l - 1 && log->facts.n_events < 2 &&
                              is_told_twice(log, &proposal->logs[o]));
        }
        if (twice) {
            drop_log(proposal, l - 1, "another table has these events, too");
        } else if (any_time && log->facts.time == LOG_TIME_NONE) {
            drop_log(proposal, l - 1, "it has no times");
        }
    }
    proposal->has_times = any_time;
}

static enum status_code choose_logs(struct proposal *proposal, const struct group *group,
                                    struct status *status)
{
    char texts[PROPOSAL_CHOICES_MAX][TEXT_MAX];
    size_t answer = 0;
    enum status_code code = STATUS_OK;
    if (group->n > 1 && proposal->request->may_ask) {
        snprintf(texts[0], TEXT_MAX, "all of these together");
        for (size_t m = 0; m < group->n; m++) {
            snprintf(texts[m + 1], TEXT_MAX, "%s alone (%.0f rows)",
                     table_name(proposal, group->members[m]), group->n_rows[m]);
        }
        TRY(choose(proposal, "which tables tell what was chosen?", texts, group->n + 1, &answer,
                   status));
    }
    for (size_t m = 0; m < group->n; m++) {
        if (answer == 0 || answer == m + 1) {
            TRY(add_log(proposal, group->members[m], status));
        }
    }
    reconcile(proposal);
done:
    return code;
}

enum status_code proposal_make(const struct proposal_request *request, struct proposal *proposal,
                               struct status *status)
{
    struct group groups[GROUPS_MAX] = {0};
    const struct group *group = NULL;
    size_t n_groups = 0;
    enum status_code code;
    proposal->request = request;
    TRY(schema_read(request->db, &proposal->schema, status));
    add_unnamable(&proposal->schema, &proposal->notes);
    TRY(log_candidates_find(&proposal->schema, &proposal->candidates, status));
    TRY(find_groups(proposal, groups, &n_groups, status));
    TRY(choose_group(proposal, groups, n_groups, &group, status));
    TRY(choose_logs(proposal, group, status));
    proposal_weigh_events(proposal);
    TRY(proposal_cut(proposal, status));
    TRY(proposal_find_key(proposal, status));
    TRY(buf_check(&proposal->notes, status));
done:
    return code;
}

void proposal_release(struct proposal *proposal)
{
    schema_release(&proposal->schema);
    buf_release(&proposal->notes);
    *proposal = (struct proposal){0};
}
