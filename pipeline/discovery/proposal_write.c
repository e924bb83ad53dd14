/* The proposal as a file that somebody reads, and changes. */
#include "discovery/proposal_parts.h"

#include "base/clock.h"
#include "base/num.h"
#include "discovery/yaml_text.h"

#include <inttypes.h>
#include <math.h>
#include <strings.h>

enum { LEAST_ROWS = 10000, QUERY_INDENT = 4, QUERY_COLUMNS = YAML_COLUMNS - QUERY_INDENT };

/* ---- pieces ---- */

/* 160,000 */
static void add_number(struct buf *out, double number)
{
    char text[NUM_TEXT_MAX];
    num_format_count((int64_t)number, text);
    buf_add_text(out, text);
}

/* A column of the SELECT, on a new line where the one so far is full. */
static void add_part(struct buf *sql, const struct buf *part, size_t *column)
{
    const bool is_first = *column == 0;
    if (is_first) {
        buf_add_text(sql, "SELECT ");
        *column = strlen("SELECT ");
    } else if (*column + part->length + 3 > QUERY_COLUMNS) {
        buf_add_text(sql, ",\n  ");
        *column = strlen("  ");
    } else {
        buf_add_text(sql, ", ");
        *column += 2;
    }
    buf_add_text(sql, buf_text(part));
    *column += part->length;
    sql->failed = sql->failed || part->failed;
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
        log_facts_add_text(log->event, part);
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

static void add_columns(const struct proposal *proposal, size_t l, struct buf *sql)
{
    const struct proposed_log *log = &proposal->logs[l];
    const struct log_candidate *candidate = log->candidate;
    const struct log_field weight = weight_of(proposal);
    struct buf part = {0};
    size_t column = 0;
    if (proposal->has_key) {
        add_key(proposal, l, &part);
        proposal_add_as(&part, "event_id", l == 0);
        add_part(sql, &part, &column);
        buf_clear(&part);
    }
    log_candidate_add_field(&proposal->schema, candidate, candidate->user, &part);
    proposal_add_as(&part, "user_id", l == 0);
    add_part(sql, &part, &column);
    buf_clear(&part);
    log_candidate_add_field(&proposal->schema, candidate, candidate->item, &part);
    proposal_add_as(&part, "item_id", l == 0);
    add_part(sql, &part, &column);
    if (proposal->has_events) {
        buf_clear(&part);
        add_event(proposal, log, &part);
        proposal_add_as(&part, "event", l == 0);
        add_part(sql, &part, &column);
    }
    if (weight.column >= 0) {
        buf_clear(&part);
        log_candidate_add_field(&proposal->schema, candidate, weight, &part);
        proposal_add_as(&part, proposal_is_rated(log) ? "rating" : "weight", true);
        add_part(sql, &part, &column);
    }
    if (proposal->has_times) {
        buf_clear(&part);
        if (times_are_plain(proposal)) {
            log_candidate_add_field(&proposal->schema, candidate, candidate->time, &part);
        } else {
            log_facts_add_seconds(&proposal->schema, candidate, log->facts.time, &part);
        }
        proposal_add_as(&part, "created_at", l == 0);
        add_part(sql, &part, &column);
    }
    buf_release(&part);
}

static void begin_condition(struct buf *sql, size_t *n)
{
    buf_add_text(sql, (*n)++ == 0 ? "\nWHERE " : "\n  AND ");
}

/* Rows that say nothing, where there are some. */
static void add_conditions(const struct proposal *proposal, const struct proposed_log *log,
                           struct buf *sql)
{
    const struct schema *schema = &proposal->schema;
    const struct log_candidate *candidate = log->candidate;
    const struct log_facts *facts = &log->facts;
    const bool has_rating = proposal_is_rated(log);
    size_t n = 0;
    if (facts->n_no_user > 0) {
        begin_condition(sql, &n);
        log_candidate_add_field(schema, candidate, candidate->user, sql);
        buf_add_text(sql, " IS NOT NULL");
    }
    if (facts->n_nobody > 0) {
        begin_condition(sql, &n);
        log_candidate_add_field(schema, candidate, candidate->user, sql);
        buf_add_text(sql, " NOT IN (0, '')");
    }
    if (facts->n_no_item > 0) {
        begin_condition(sql, &n);
        log_candidate_add_field(schema, candidate, candidate->item, sql);
        buf_add_text(sql, " IS NOT NULL");
    }
    if (has_rating && (weight_of(proposal).column < 0 || facts->n_ratings < facts->n_rows)) {
        begin_condition(sql, &n);
        log_candidate_add_field(schema, candidate, candidate->rating, sql);
        if (weight_of(proposal).column < 0) {
            buf_addf(sql, " >= %g", proposal_good_rating(facts));
        } else {
            buf_add_text(sql, " IS NOT NULL");
        }
    }
    if (log->undone.how != LOG_UNDONE_NONE) {
        begin_condition(sql, &n);
        log_undone_add(schema, candidate, &log->undone, sql);
    }
    if (proposal->has_times && facts->n_no_time - facts->n_future > 0) {
        begin_condition(sql, &n);
        log_candidate_add_field(schema, candidate, candidate->time, sql);
        buf_add_text(sql, " IS NOT NULL");
    }
    if (proposal->has_times && facts->n_future > 0) {
        begin_condition(sql, &n);
        log_facts_add_seconds(schema, candidate, facts->time, sql);
        buf_add_text(sql, " <= unixepoch()");
    }
}

static void add_query(const struct proposal *proposal, struct buf *yaml)
{
    struct buf sql = {0};
    for (size_t l = 0; l < proposal->n_logs; l++) {
        buf_add_text(&sql, l > 0 ? "UNION ALL\n" : "");
        add_columns(proposal, l, &sql);
        buf_add_text(&sql, "\nFROM ");
        log_candidate_add_from(&proposal->schema, proposal->logs[l].candidate, &sql);
        add_conditions(proposal, &proposal->logs[l], &sql);
        buf_add_char(&sql, '\n');
    }
    buf_add_text(yaml, "  interactions: ");
    yaml_add_lines(yaml, "    ", buf_text(&sql));
    if (proposal->has_key) {
        yaml_add_comment(yaml, "  ",
                         "later nights read only rows behind the last key, which grows with the "
                         "time; take it out where rows are changed or deleted, or come in late");
        buf_add_text(yaml, "  key: event_id\n");
    }
    yaml->failed = yaml->failed || sql.failed;
    buf_release(&sql);
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
        yaml_add_key(yaml, proposal->weights[w].name);
        buf_addf(yaml, ": %d", proposal->weights[w].weight);
    }
    buf_add_text(yaml, "}\n");
    for (size_t w = 0, d = 0; w < proposal->n_weights; w++) {
        if (proposal->weights[w].is_dislike) {
            buf_add_text(yaml, d++ == 0 ? "      dislikes: [" : ", ");
            yaml_add_value(yaml, proposal->weights[w].name);
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
    yaml_add_value(yaml, buf_text(&path));
    buf_add_char(yaml, '\n');
    if (query.length > 0) {
        buf_add_text(yaml, "      items: ");
        yaml_add_lines(yaml, "        ", buf_text(&query));
    }
    buf_release(&path);
    buf_release(&query);
}

/* Side data as a stage that somebody may take in: it lets new items be recommended, and costs time.
 */
static void add_features(const struct proposal *proposal, struct buf *yaml)
{
    struct buf queries[2] = {{0}, {0}}, lines = {0};
    proposal_add_side_query(proposal, true, &queries[0]);
    proposal_add_side_query(proposal, false, &queries[1]);
    for (int q = 0; q < 2; q++) {
        if (queries[q].length > 0) {
            buf_addf(&lines, "      %s:\n        query: ", q == 0 ? "items" : "users");
            yaml_add_lines(&lines, "          ", buf_text(&queries[q]));
        }
    }
    if (lines.length > 0) {
        buf_add_text(yaml,
                     "# what else is known, so that what is new is recommended, too: to take it "
                     "in, take\n# out the # below\n#  - features:\n");
    }
    for (const char *line = buf_text(&lines); *line != '\0';) {
        const size_t length = strcspn(line, "\n");
        buf_add_char(yaml, '#');
        buf_add(yaml, line, length);
        buf_add_char(yaml, '\n');
        line += length + 1;
    }
    yaml->failed = yaml->failed || queries[0].failed || queries[1].failed || lines.failed;
    buf_release(&queries[0]);
    buf_release(&queries[1]);
    buf_release(&lines);
}

/* Which items can be had is guessed from names alone: it stands there as a comment. */
static void add_recommend(const struct proposal *proposal, struct buf *yaml)
{
    const char *seen = may_repeat(proposal) ? "exclude_seen: auto" : "";
    struct buf eligible = {0};
    proposal_add_eligible_query(proposal, &eligible);
    if (eligible.length == 0) {
        buf_addf(yaml, "  - recommend: {top: 50%s%s}\n", seen[0] != '\0' ? ", " : "", seen);
    } else {
        buf_addf(yaml, "  - recommend:\n      top: 50\n%s%s%s", seen[0] != '\0' ? "      " : "",
                 seen, seen[0] != '\0' ? "\n" : "");
        buf_add_text(yaml, "      # lists of what can be had alone, if this says so: take out the "
                           "# below\n      # eligible: ");
        yaml_add_value(yaml, buf_text(&eligible));
        buf_add_char(yaml, '\n');
    }
    yaml->failed = yaml->failed || eligible.failed;
    buf_release(&eligible);
}

/* A log of one kind of events, with times, may be of what is read in order: films, songs, news. */
static void add_train(const struct proposal *proposal, struct buf *yaml)
{
    if (proposal->has_times && !proposal->has_events) {
        buf_add_text(yaml,
                     "  # where one thing leads to the next (films, songs, news, lessons) write\n"
                     "  # `train: {sequence: {}}`: their order is read as well, and counts for\n"
                     "  # nothing where it does not help; a night takes up to twice as long\n");
    }
    buf_add_text(yaml, "  - train: {}\n");
}

static void add_stages(const struct proposal *proposal, struct buf *yaml)
{
    buf_add_text(yaml, "stages:\n  - interactions:\n");
    add_weights(proposal, yaml);
    add_ratings(proposal, yaml);
    add_split(proposal, yaml);
    buf_add_text(yaml, "  - checks: {}\n");
    add_features(proposal, yaml);
    buf_add_text(yaml, "  # these choose their settings themselves, on the rows that are held out\n"
                       "  - pairs: {}\n"
                       "  - negatives: {}\n");
    add_train(proposal, yaml);
    buf_add_text(yaml, "  - calibrate: {}\n"
                       "  # nothing is published on a night that ranks worse than what is popular\n"
                       "  - evaluate: {gate: {ndcg@20: {over_popular: 1.0}}}\n"
                       "  - refit: {}\n");
    add_recommend(proposal, yaml);
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
        buf_addf(text, " in %.0f days (%s, %s)\n", ceil((facts->last - facts->first) / CLOCK_DAY),
                 column_name(proposal, log->candidate->time), log_time_names[facts->time]);
    }
    if (log->undone.how != LOG_UNDONE_NONE) {
        buf_add_text(text, "  ");
        add_number(text, log->undone.n_rows);
        buf_addf(text, " of them are left out, for they were taken back (%s)\n",
                 column_name(proposal, log->undone.field));
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
    yaml_add_comment(yaml, "", buf_text(&text));
    buf_add_text(yaml, "pipeline: ");
    yaml_add_value(yaml, proposal->request->name);
    buf_add_text(yaml, "\nsource:\n  database: ");
    yaml_add_value(yaml, proposal->request->database);
    buf_add_char(yaml, '\n');
    add_query(proposal, yaml);
    buf_add_text(yaml, "# a file of its own, so that nothing but your application writes to its "
                       "database\noutput:\n  database: ");
    buf_addf(&output, "%s.reco.db", proposal->request->name);
    yaml_add_value(yaml, buf_text(&output));
    buf_add_char(yaml, '\n');
    add_stages(proposal, yaml);
    yaml->failed = yaml->failed || text.failed || output.failed;
    buf_release(&text);
    buf_release(&output);
}
