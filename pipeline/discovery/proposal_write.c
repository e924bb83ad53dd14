/* The proposal as a file that somebody reads, and changes. */
#include "discovery/proposal_parts.h"

#include "base/num.h"

#include <inttypes.h>
#include <math.h>
#include <strings.h>

enum { DAY = 86400, LINE_MAX_COLUMNS = 90, LEAST_ROWS = 10000 };

/* ---- pieces ---- */

/* 160,000 */
static void add_number(struct buf *out, double number)
{
    char text[NUM_TEXT_MAX];
    num_format_count((int64_t)number, text);
    buf_add_text(out, text);
}

/* A scalar, in quotes where YAML would read something else than this text. */
static void add_scalar(struct buf *yaml, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789./-";
    const bool is_letter = (text[0] >= 'a' && text[0] <= 'z') ||
                           (text[0] >= 'A' && text[0] <= 'Z') || text[0] == '/' || text[0] == '_';
    const bool is_word = word_in(text, "true false yes no on off null y n True False Yes No On Off "
                                       "Null TRUE FALSE YES NO ON OFF NULL Y N");
    if (is_letter && !is_word && strspn(text, plain) == strlen(text)) {
        buf_add_text(yaml, text);
        return;
    }
    buf_add_char(yaml, '"');
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            buf_addf(yaml, "\\x%02x", (unsigned)(unsigned char)*text);
        } else {
            buf_addf(yaml, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
        }
    }
    buf_add_char(yaml, '"');
}

/* Comment lines, broken at blanks. */
static void add_comment(struct buf *yaml, const char *indent, const char *text)
{
    while (*text != '\0') {
        size_t column = strlen(indent) + 1;
        buf_addf(yaml, "%s#", indent);
        while (*text != '\0' && *text != '\n') {
            const size_t word = strcspn(text, " \n");
            if (column > strlen(indent) + 1 && column + 1 + word > LINE_MAX_COLUMNS) {
                break;
            }
            buf_add_char(yaml, ' ');
            buf_add(yaml, text, word);
            column += word + 1;
            text += word + (text[word] == ' ');
        }
        text += *text == '\n';
        buf_add_char(yaml, '\n');
    }
}

/* A column of the SELECT, on a new line where the one so far is full. */
static void add_part(struct buf *yaml, const struct buf *part, size_t *column)
{
    const bool is_first = *column == 0;
    if (is_first) {
        buf_add_text(yaml, "    SELECT ");
        *column = strlen("    SELECT ");
    } else if (*column + part->length + 3 > LINE_MAX_COLUMNS) {
        buf_add_text(yaml, ",\n      ");
        *column = strlen("      ");
    } else {
        buf_add_text(yaml, ", ");
        *column += 2;
    }
    buf_add_text(yaml, buf_text(part));
    *column += part->length;
    yaml->failed = yaml->failed || part->failed;
}

static void add_sql_text(struct buf *sql, const char *text)
{
    buf_add_char(sql, '\'');
    for (; *text != '\0'; text++) {
        buf_addf(sql, "%s%c", *text == '\'' ? "'" : "", *text);
    }
    buf_add_char(sql, '\'');
}

/* ---- the query ---- */

static const char *column_name(const struct proposal *proposal, struct log_field field)
{
    return proposal->schema.tables[field.table].columns[field.column].name;
}

/* Whether a run reads all times as they stand, which it does of one unit among three. */
static bool times_are_plain(const struct proposal *proposal)
{
    const enum log_time unit = proposal->logs[0].facts.time;
    bool plain = unit == LOG_TIME_SECONDS || unit == LOG_TIME_MILLISECONDS || unit == LOG_TIME_ISO;
    for (size_t l = 1; l < proposal->n_logs; l++) {
        plain = plain && proposal->logs[l].facts.time == unit;
    }
    return plain;
}

/* The number that counts: a rating, or how often. */
static struct log_field weight_of(const struct proposal *proposal)
{
    const struct log_field nothing = {SCHEMA_NONE, SCHEMA_NONE};
    const struct proposed_log *log = &proposal->logs[0];
    if (proposal->n_logs > 1 || proposal->has_events) {
        return nothing;
    }
    return proposal_is_rated(log) ? log->candidate->rating : log->candidate->count;
}

static void add_event(const struct proposal *proposal, const struct proposed_log *log,
                      struct buf *part)
{
    const bool has_column = log->facts.n_events > 0;
    if (has_column && log->facts.lacks_events) {
        buf_add_text(part, "coalesce(");
    }
    if (has_column) {
        log_candidate_add_field(&proposal->schema, log->candidate, log->candidate->event, part);
    }
    if (has_column && log->facts.lacks_events) {
        buf_add_text(part, ", ");
    }
    if (!has_column || log->facts.lacks_events) {
        add_sql_text(part, log->event);
    }
    if (has_column && log->facts.lacks_events) {
        buf_add_char(part, ')');
    }
}

static void add_key(const struct proposal *proposal, size_t l, struct buf *part)
{
    const struct proposed_log *log = &proposal->logs[l];
    const struct log_candidate *candidate = log->candidate;
    const struct log_field id = {candidate->table, proposal->schema.tables[candidate->table].key};
    buf_addf(part, "%zu * (", proposal->n_logs);
    log_facts_add_seconds(&proposal->schema, candidate, log->facts.time, part);
    buf_add_text(part, " * 1000000 + ");
    log_candidate_add_field(&proposal->schema, candidate, id, part);
    buf_add_text(part, " % 1000000)");
    if (l > 0) {
        buf_addf(part, " + %zu", l);
    }
}

static void add_columns(const struct proposal *proposal, size_t l, struct buf *yaml)
{
    const struct proposed_log *log = &proposal->logs[l];
    const struct log_candidate *candidate = log->candidate;
    const struct log_field weight = weight_of(proposal);
    struct buf part = {0};
    size_t column = 0;
    if (proposal->has_key) {
        add_key(proposal, l, &part);
        proposal_add_as(&part, "event_id", l == 0);
        add_part(yaml, &part, &column);
        buf_clear(&part);
    }
    log_candidate_add_field(&proposal->schema, candidate, candidate->user, &part);
    proposal_add_as(&part, "user_id", l == 0);
    add_part(yaml, &part, &column);
    buf_clear(&part);
    log_candidate_add_field(&proposal->schema, candidate, candidate->item, &part);
    proposal_add_as(&part, "item_id", l == 0);
    add_part(yaml, &part, &column);
    if (proposal->has_events) {
        buf_clear(&part);
        add_event(proposal, log, &part);
        proposal_add_as(&part, "event", l == 0);
        add_part(yaml, &part, &column);
    }
    if (weight.column >= 0) {
        buf_clear(&part);
        log_candidate_add_field(&proposal->schema, candidate, weight, &part);
        proposal_add_as(&part, proposal_is_rated(log) ? "rating" : "weight", true);
        add_part(yaml, &part, &column);
    }
    if (proposal->has_times) {
        buf_clear(&part);
        if (times_are_plain(proposal)) {
            log_candidate_add_field(&proposal->schema, candidate, candidate->time, &part);
        } else {
            log_facts_add_seconds(&proposal->schema, candidate, log->facts.time, &part);
        }
        proposal_add_as(&part, "created_at", l == 0);
        add_part(yaml, &part, &column);
    }
    buf_release(&part);
}

static void begin_condition(struct buf *yaml, size_t *n)
{
    buf_add_text(yaml, (*n)++ == 0 ? "\n    WHERE " : "\n      AND ");
}

/* Rows that say nothing, where there are some. */
static void add_conditions(const struct proposal *proposal, const struct proposed_log *log,
                           struct buf *yaml)
{
    const struct schema *schema = &proposal->schema;
    const struct log_candidate *candidate = log->candidate;
    const struct log_facts *facts = &log->facts;
    const bool has_rating = proposal_is_rated(log);
    size_t n = 0;
    if (facts->n_no_user > 0) {
        begin_condition(yaml, &n);
        log_candidate_add_field(schema, candidate, candidate->user, yaml);
        buf_add_text(yaml, " IS NOT NULL");
    }
    if (facts->n_nobody > 0) {
        begin_condition(yaml, &n);
        log_candidate_add_field(schema, candidate, candidate->user, yaml);
        buf_add_text(yaml, " NOT IN (0, '')");
    }
    if (facts->n_no_item > 0) {
        begin_condition(yaml, &n);
        log_candidate_add_field(schema, candidate, candidate->item, yaml);
        buf_add_text(yaml, " IS NOT NULL");
    }
    if (has_rating && (weight_of(proposal).column < 0 || facts->n_ratings < facts->n_rows)) {
        begin_condition(yaml, &n);
        log_candidate_add_field(schema, candidate, candidate->rating, yaml);
        if (weight_of(proposal).column < 0) {
            buf_addf(yaml, " >= %g", proposal_good_rating(facts));
        } else {
            buf_add_text(yaml, " IS NOT NULL");
        }
    }
    if (proposal->has_times && facts->n_no_time - facts->n_future > 0) {
        begin_condition(yaml, &n);
        log_candidate_add_field(schema, candidate, candidate->time, yaml);
        buf_add_text(yaml, " IS NOT NULL");
    }
    if (proposal->has_times && facts->n_future > 0) {
        begin_condition(yaml, &n);
        log_facts_add_seconds(schema, candidate, facts->time, yaml);
        buf_add_text(yaml, " <= unixepoch()");
    }
}

static void add_query(const struct proposal *proposal, struct buf *yaml)
{
    buf_add_text(yaml, "  interactions: |\n");
    for (size_t l = 0; l < proposal->n_logs; l++) {
        buf_add_text(yaml, l > 0 ? "    UNION ALL\n" : "");
        add_columns(proposal, l, yaml);
        buf_add_text(yaml, "\n    FROM ");
        log_candidate_add_from(&proposal->schema, proposal->logs[l].candidate, yaml);
        add_conditions(proposal, &proposal->logs[l], yaml);
        buf_add_char(yaml, '\n');
    }
    if (proposal->has_key) {
        add_comment(yaml, "  ",
                    "later nights read only rows behind the last key, which grows with the time; "
                    "take it out where rows are changed or deleted, or come in late");
        buf_add_text(yaml, "  key: event_id\n");
    }
}

/* ---- stages ---- */

static void add_weights(const struct proposal *proposal, struct buf *yaml)
{
    size_t n = 0, n_dislikes = 0;
    if (!proposal->has_events) {
        return;
    }
    buf_add_text(yaml, "      # what is rarer says more, a purchase most; 0 leaves a kind out\n"
                       "      event_weights: {");
    for (size_t w = 0; w < proposal->n_weights; w++) {
        if (proposal->weights[w].is_dislike) {
            n_dislikes++;
            continue;
        }
        buf_add_text(yaml, n++ > 0 ? ", " : "");
        add_scalar(yaml, proposal->weights[w].name);
        buf_addf(yaml, ": %d", proposal->weights[w].weight);
    }
    buf_add_text(yaml, "}\n");
    for (size_t w = 0, d = 0; w < proposal->n_weights; w++) {
        if (proposal->weights[w].is_dislike) {
            buf_add_text(yaml, d++ == 0 ? "      dislikes: [" : ", ");
            add_scalar(yaml, proposal->weights[w].name);
            buf_add_text(yaml, d == n_dislikes ? "]\n" : "");
        }
    }
}

static void add_ratings(const struct proposal *proposal, struct buf *yaml)
{
    const struct proposed_log *log = &proposal->logs[0];
    const struct log_facts *facts = &log->facts;
    if (weight_of(proposal).column < 0 || !proposal_is_rated(log)) {
        return;
    }
    buf_addf(yaml, "      # ratings go from %g to %g\n      min_rating: %g\n", facts->rating_min,
             facts->rating_max, proposal_good_rating(facts));
    if (facts->rating_min < 0 || facts->rating_max <= 1) { /* thumbs up and down */
        buf_addf(yaml, "      dislike_rating: %g\n", facts->rating_min);
    }
}

/* People come back to a song: then it may be recommended again. */
static bool may_repeat(const struct proposal *proposal)
{
    for (size_t l = 0; l < proposal->n_logs; l++) {
        if (strcmp(proposal->logs[l].event, "play") == 0) {
            return proposal->has_times;
        }
    }
    return false;
}

static void add_split(const struct proposal *proposal, struct buf *yaml)
{
    if (!proposal->has_times) {
        buf_add_text(yaml, "      split: {by: random, valid: 0.1, test: 0.1}\n");
        return;
    }
    buf_add_text(yaml, "      # the newest rows are held out, to choose and to judge\n"
                       "      split: {by: time, ");
    if (proposal->window > 0) {
        buf_addf(yaml, "valid: %dd, test: %dd", proposal->window, proposal->window);
    } else {
        buf_add_text(yaml, "valid: 0.1, test: 0.1");
    }
    buf_add_text(yaml, may_repeat(proposal) ? ", repeats: auto}\n" : "}\n");
}

static void add_report(const struct proposal *proposal, struct buf *yaml)
{
    struct buf path = {0}, query = {0};
    buf_addf(&path, "%s.html", proposal->request->name);
    proposal_add_items_query(proposal, &query);
    buf_add_text(yaml, "  - report:\n      path: ");
    add_scalar(yaml, buf_text(&path));
    if (query.length > 0) {
        buf_addf(yaml, "\n      items: |\n        %s", buf_text(&query));
    }
    buf_add_char(yaml, '\n');
    buf_release(&path);
    buf_release(&query);
}

static void add_stages(const struct proposal *proposal, struct buf *yaml)
{
    buf_add_text(yaml, "stages:\n  - interactions:\n");
    add_weights(proposal, yaml);
    add_ratings(proposal, yaml);
    add_split(proposal, yaml);
    buf_add_text(yaml, "  - checks: {}\n");
    buf_add_text(yaml, "  # these choose their settings themselves, on the rows that are held out\n"
                       "  - pairs: {}\n"
                       "  - negatives: {}\n"
                       "  - train: {}\n"
                       "  - calibrate: {}\n"
                       "  # nothing is published on a night that ranks worse than what is popular\n"
                       "  - evaluate: {gate: {ndcg@20: {over_popular: 1.0}}}\n"
                       "  - refit: {}\n");
    buf_addf(yaml, "  - recommend: {top: 50%s}\n",
             may_repeat(proposal) ? ", exclude_seen: auto" : "");
    buf_add_text(yaml, "  - publish: {}\n");
    add_report(proposal, yaml);
}

/* ---- what was found ---- */

static void add_found(const struct proposal *proposal, const struct proposed_log *log,
                      struct buf *text)
{
    const struct log_facts *facts = &log->facts;
    buf_addf(text, "%s: ", proposal->schema.tables[log->candidate->table].name);
    if (isnan(facts->n_rows)) {
        buf_add_text(text, "rows that took too long to count");
    } else {
        add_number(text, facts->n_rows);
        buf_add_text(text, " rows");
    }
    if (!isnan(facts->n_users) && !isnan(facts->n_items)) {
        buf_add_text(text, " of ");
        add_number(text, facts->n_users);
        buf_add_text(text, " users and ");
        add_number(text, facts->n_items);
        buf_add_text(text, " items");
    }
    if (facts->time == LOG_TIME_NONE) {
        buf_add_text(text, ", without times\n");
    } else {
        buf_addf(text, " in %.0f days (%s, %s)\n", ceil((facts->last - facts->first) / DAY),
                 column_name(proposal, log->candidate->time), log_time_names[facts->time]);
    }
    if (log->candidate->quantity.column >= 0) {
        buf_addf(text, "  its %s is not used; AS weight it would count\n",
                 column_name(proposal, log->candidate->quantity));
    }
}

void proposal_write(const struct proposal *proposal, struct buf *yaml)
{
    struct buf text = {0}, output = {0};
    buf_addf(&text, "Written by nightjar init. The log it found:\n");
    for (size_t l = 0; l < proposal->n_logs; l++) {
        add_found(proposal, &proposal->logs[l], &text);
    }
    if (proposal->n_rows < LEAST_ROWS) {
        buf_add_text(&text, "Below 10,000 rows there is little to learn from, and a list of what "
                            "is popular does as well.\n");
    }
    buf_add_text(&text, buf_text(&proposal->notes));
    add_comment(yaml, "", buf_text(&text));
    buf_add_text(yaml, "pipeline: ");
    add_scalar(yaml, proposal->request->name);
    buf_add_text(yaml, "\nsource:\n  database: ");
    add_scalar(yaml, proposal->request->database);
    buf_add_char(yaml, '\n');
    add_query(proposal, yaml);
    buf_add_text(yaml, "# a file of its own, so that nothing but your application writes to its "
                       "database\noutput:\n  database: ");
    buf_addf(&output, "%s.reco.db", proposal->request->name);
    add_scalar(yaml, buf_text(&output));
    buf_add_char(yaml, '\n');
    add_stages(proposal, yaml);
    yaml->failed = yaml->failed || text.failed || output.failed;
    buf_release(&text);
    buf_release(&output);
}
