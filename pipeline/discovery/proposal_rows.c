/* What follows from the rows of a log: weights of events, the parts to judge on, a key. */
#include "discovery/proposal_parts.h"

#include <math.h>
#include <stdlib.h>
#include <strings.h>

enum { WEIGHT_MAX = 10, LEAST_JUDGED = 200 };

bool proposal_is_rated(const struct proposed_log *log)
{
    const struct log_facts *facts = &log->facts;
    return facts->n_ratings * 2 > facts->n_rows && facts->rating_max > facts->rating_min &&
           facts->rating_max >= 1;
}

double proposal_good_rating(const struct log_facts *facts)
{
    return ceil(0.7 * facts->rating_max);
}

static void add_weight(struct proposal *proposal, const char *name, double n_rows)
{
    size_t w = 0;
    while (w < proposal->n_weights && strcmp(proposal->weights[w].name, name) != 0) {
        w++;
    }
    if (w == sizeof proposal->weights / sizeof *proposal->weights) {
        return;
    }
    struct proposed_weight *weight = &proposal->weights[w];
    if (w == proposal->n_weights) {
        proposal->n_weights++;
        snprintf(weight->name, sizeof weight->name, "%s", name);
        weight->is_dislike = word_is_dislike(name);
    }
    weight->n_rows += n_rows;
}

static int compare_weights(const void *a, const void *b)
{
    const struct proposed_weight *x = a, *y = b;
    return x->weight != y->weight ? x->weight - y->weight
                                  : (x->n_rows < y->n_rows) - (x->n_rows > y->n_rows);
}

static bool is_purchase(const struct proposed_weight *weight)
{
    struct words words;
    words_split(weight->name, &words);
    return strcmp(words_event_name(&words), "purchase") == 0;
}

/* A wish is rarer than a purchase where nobody keeps lists of wishes, and says less all the same.
 */
static void let_nothing_outweigh_purchases(struct proposal *proposal)
{
    int most = 0;
    for (size_t w = 0; w < proposal->n_weights; w++) {
        if (is_purchase(&proposal->weights[w]) && proposal->weights[w].weight > most) {
            most = proposal->weights[w].weight;
        }
    }
    for (size_t w = 0; most > 0 && w < proposal->n_weights; w++) {
        if (proposal->weights[w].weight > most) {
            proposal->weights[w].weight = most;
        }
    }
}

void proposal_weigh_events(struct proposal *proposal)
{
    double most = 0;
    for (size_t l = 0; l < proposal->n_logs; l++) {
        const struct proposed_log *log = &proposal->logs[l];
        for (size_t e = 0; e < log->facts.n_events; e++) {
            add_weight(proposal, log->facts.events[e].name, log->facts.events[e].n_rows);
        }
        if (log->facts.n_events == 0 || log->facts.lacks_events) {
            add_weight(proposal, log->event, log->facts.n_rows);
        }
    }
    for (size_t w = 0; w < proposal->n_weights; w++) {
        const struct proposed_weight *weight = &proposal->weights[w];
        const bool counts = !weight->is_dislike && !word_is_no_choice(weight->name);
        most = counts && weight->n_rows > most ? weight->n_rows : most;
    }
    for (size_t w = 0; w < proposal->n_weights; w++) {
        struct proposed_weight *weight = &proposal->weights[w];
        const double weight_of = round(sqrt(most / weight->n_rows));
        weight->weight = most > 0 && word_is_no_choice(weight->name) ? 0
                         : weight_of < 1                             ? 1
                         : weight_of > WEIGHT_MAX                    ? WEIGHT_MAX
                                                                     : (int)weight_of;
    }
    let_nothing_outweigh_purchases(proposal);
    qsort(proposal->weights, proposal->n_weights, sizeof *proposal->weights, compare_weights);
    proposal->has_events = proposal->n_weights > 1;
}

enum status_code proposal_cut(struct proposal *proposal, struct status *status)
{
    double first = INFINITY, last = -INFINITY, n_rows = 0;
    enum status_code code = STATUS_OK;
    for (size_t l = 0; l < proposal->n_logs; l++) {
        const struct log_facts *facts = &proposal->logs[l].facts;
        n_rows += facts->n_rows;
        first = facts->first < first ? facts->first : first;
        last = facts->last > last ? facts->last : last;
    }
    proposal->n_rows = n_rows;
    if (!proposal->has_times || !(last > first)) {
        goto done;
    }
    for (size_t l = 0; l < proposal->n_logs; l++) {
        TRY(log_facts_windows(proposal->request->db, &proposal->schema, proposal->logs[l].candidate,
                              last, &proposal->logs[l].facts, status));
    }
    for (size_t w = 0; w < N_LOG_WINDOWS && proposal->window == 0; w++) {
        double before = 0, within = 0;
        for (size_t l = 0; l < proposal->n_logs; l++) {
            before += proposal->logs[l].facts.n_before[w];
            within += proposal->logs[l].facts.n_within[w];
        }
        if (before >= LEAST_JUDGED && within >= LEAST_JUDGED && before + within <= 0.3 * n_rows) {
            proposal->window = log_window_days[w];
        }
    }
done:
    return code;
}

/* Whether no two rows of the table have one second and one id within it. Ids that lie within a
 * million cannot. */
static enum status_code is_unique(struct proposal *proposal, const struct proposed_log *log,
                                  bool *unique, struct status *status)
{
    const struct schema *schema = &proposal->schema;
    const struct log_candidate *candidate = log->candidate;
    const struct log_field id = {candidate->table, schema->tables[candidate->table].key};
    struct buf sql = {0}, key = {0};
    double span = (double)NAN, n_twice = (double)NAN;
    bool known;
    enum status_code code;
    log_candidate_add_field(schema, candidate, id, &key);
    buf_addf(&sql, "SELECT max(%s) - min(%s) FROM ", buf_text(&key), buf_text(&key));
    log_candidate_add_from(schema, candidate, &sql);
    TRY(log_facts_numbers(proposal->request->db, &sql, &span, 1, &known, status));
    *unique = span < 1e6;
    if (!*unique) {
        buf_clear(&sql);
        buf_addf(&sql, "SELECT count(*) - count(DISTINCT %s %% 1000000 + 1000000 * ",
                 buf_text(&key));
        log_facts_add_seconds(schema, candidate, log->facts.time, &sql);
        buf_add_text(&sql, ") FROM ");
        log_candidate_add_from(schema, candidate, &sql);
        TRY(log_facts_numbers(proposal->request->db, &sql, &n_twice, 1, &known, status));
        *unique = known && n_twice == 0;
    }
done:
    buf_release(&sql);
    buf_release(&key);
    return code;
}

enum status_code proposal_find_key(struct proposal *proposal, struct status *status)
{
    bool has_key = proposal->n_logs > 1 && proposal->has_times;
    enum status_code code = STATUS_OK;
    for (size_t l = 0; l < proposal->n_logs && has_key; l++) {
        const struct proposed_log *log = &proposal->logs[l];
        const struct schema_table *table = &proposal->schema.tables[log->candidate->table];
        /* what is taken back later would stay, being read already */
        has_key = log->undone.how == LOG_UNDONE_NONE && table->key >= 0 &&
                  log->facts.n_no_time == 0 &&
                  strncasecmp(table->columns[table->key].type, "INT", 3) == 0;
        if (has_key) {
            TRY(is_unique(proposal, log, &has_key, status));
        }
    }
    proposal->has_key = has_key;
done:
    return code;
}
