/* From events to bases: folding each part, the training core of each basis, and held-out parts
 * measured against it. */
#include "events/dataset_build.h"

#include "base/mem.h"
#include "events/dataset_cold.h"
#include "events/dataset_core.h"
#include "events/dislikes.h"
#include "events/history_cut.h"

#include <assert.h>

/* What the parts of the log hold before anything is renumbered, in master codes. */
struct raw_parts {
    struct ranks *ranks;               /* who have the other users */
    struct history train, valid, test; /* test: cut from the log, or the given one */
    struct history cold_known, cold_asked;
    const uint8_t *cold_items; /* (n_master_items) the log's flags; NULL: nobody is held out */
    bool has_valid, has_test, test_is_given, has_cold;
    /* Only where there are dislikes: those of the train part, and the log without disliked pairs */
    bool has_dislikes;
    struct history train_dislikes, liked;
    /* What was only seen before validation, and before a test that is cut from the log. */
    struct history seen_early, seen_before;
};

static void raw_parts_release(struct raw_parts *raw)
{
    history_release(&raw->train);
    history_release(&raw->valid);
    history_release(&raw->test);
    history_release(&raw->cold_known);
    history_release(&raw->cold_asked);
    history_release(&raw->train_dislikes);
    history_release(&raw->liked);
    history_release(&raw->seen_early);
    history_release(&raw->seen_before);
}

static enum status_code hold_out(const struct history_cut *cut, struct history *out,
                                 const int32_t **unknown, size_t *n_unknown_users,
                                 struct status *status)
{
    struct history_cut_misses misses = {0};
    enum status_code code = history_cut_take(cut, out, &misses, status);

    *unknown = misses.unknown;
    *n_unknown_users = misses.n_unknown_users;
    return code;
}

enum { BARRED_MAX = 3 };

/* Sets those of the n histories to NULL that have no pair on any rank. */
static enum status_code drop_empty(struct ranks *ranks, const struct history *histories[], size_t n,
                                   struct status *status)
{
    enum status_code code;
    int64_t pairs[BARRED_MAX] = {0};

    assert(n <= BARRED_MAX);
    for (size_t i = 0; i < n; i++) {
        pairs[i] = histories[i] == NULL ? 0 : (int64_t)sparse_entries(&histories[i]->matrix);
    }
    TRY(ranks_sum_int64(ranks, pairs, n, status));
    for (size_t i = 0; i < n; i++) {
        histories[i] = pairs[i] > 0 ? histories[i] : NULL;
    }
done:
    return code;
}

/* Fills valid and test of a basis whose training core is there; `trained` is what it is trained on
 * before cap and k-core. */
static enum status_code add_held_out(const struct raw_parts *raw, const struct history *trained,
                                     bool is_capped, enum basis basis, struct dataset *set,
                                     struct status *status)
{
    static const struct history nothing = {0};
    const struct history *capped = is_capped ? trained : NULL;
    const struct history *seen = raw->test_is_given ? &nothing : &raw->seen_before;
    const struct history *before_valid[] = {capped, &raw->seen_early};
    const struct history *before_test[] = {capped, &raw->valid, seen};
    enum status_code code = STATUS_OK;
    struct history_cut cut = {0};

    TRY(drop_empty(raw->ranks, before_valid, 2, status));
    TRY(drop_empty(raw->ranks, before_test, 3, status));
    TRY(history_cut_start(&cut, set, &trained->matrix, status));
    cut.seen[0] = trained;
    cut.seen[2] = &raw->seen_early;
    if (basis == BASIS_FIT && raw->has_valid) {
        cut.part = &raw->valid;
        TRY(hold_out(&cut, &set->valid, &set->valid_unknown, &set->valid_unknown_users, status));
        TRY(history_cut_bar(cut, before_valid, 2, &set->valid_barred, status));
    }
    if (raw->has_test && (basis == BASIS_FIT || raw->test_is_given)) {
        cut.part = &raw->test;
        cut.seen[1] = raw->has_valid ? &raw->valid : NULL;
        cut.seen[2] = seen;
        cut.skip_items = basis == BASIS_FIT ? raw->cold_items : NULL;
        TRY(hold_out(&cut, &set->test, &set->test_unknown, &set->test_unknown_users, status));
        TRY(history_cut_bar(cut, before_test, 3, &set->test_barred, status));
    }
done:
    history_cut_release(&cut);
    return code;
}

/* map (n of given) = the master code of each id, or a code of its own from the master's n on. */
static enum status_code map_vocabulary(const struct vocabulary *given,
                                       const struct vocabulary *master, int32_t **map,
                                       size_t *n_extended, struct status *status)
{
    int32_t *made = NULL;
    size_t next = master->n;

    if (master->n + given->n > (size_t)INT32_MAX) {
        return status_set(status, STATUS_DATA,
                          "the log and split.test_query have more than %d ids together", INT32_MAX);
    }
    enum status_code code = MEM_NEW(&made, given->n, status);
    if (code != STATUS_OK) {
        return code;
    }
    vocabulary_locate(given, master, made);
    for (size_t c = 0; c < given->n; c++) {
        if (made[c] < 0) {
            made[c] = (int32_t)next++;
        }
    }
    *map = made;
    *n_extended = next;
    return STATUS_OK;
}

/* Adds row `row` of `from` to `out` from entry n on, known items first: they ascend because both
 * vocabularies do, and the codes of the others are larger and ascend, too. */
static size_t add_given_row(const struct history *given, size_t row, const int32_t *item_map,
                            size_t n_master_items, struct history *out, size_t n)
{
    const struct sparse *from = &given->matrix;

    for (int known = 1; known >= 0; known--) {
        for (int64_t e = from->offsets[row]; e < from->offsets[row + 1]; e++) {
            int32_t item = item_map[from->columns[e]];
            if (((size_t)item < n_master_items) == (known == 1)) {
                out->matrix.columns[n] = item;
                out->matrix.values[n] = from->values[e];
                out->times[n++] = given->times[e];
            }
        }
    }
    return n;
}

/* out = the given test, folded, in master codes, extended by the ids that the log does not have. */
static enum status_code fold_given(const struct event_log *given, enum duplicate_policy duplicates,
                                   const struct interactions *master, struct history *out,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    struct history made = {0}, folded = {0};
    int32_t *user_map = NULL, *item_map = NULL;
    int32_t *row_of = NULL; /* row of `folded` + 1 of each extended user code; 0: none */
    size_t n_users = 0, n_items = 0, n = 0;

    TRY(event_log_fold(given, PART_LOG, duplicates, 0, &folded, status));
    const size_t entries = sparse_entries(&folded.matrix);
    TRY(map_vocabulary(&given->users, &master->users, &user_map, &n_users, status));
    TRY(map_vocabulary(&given->items, &master->items, &item_map, &n_items, status));
    TRY(MEM_NEW(&row_of, n_users, status));
    TRY(sparse_init(&made.matrix, n_users, n_items, entries, true, status));
    TRY(MEM_NEW(&made.times, entries, status));
    for (size_t row = 0; row < folded.matrix.n_rows; row++) {
        row_of[user_map[row]] = (int32_t)row + 1;
    }
    for (size_t user = 0; user < n_users; user++) {
        if (row_of[user] > 0) {
            n = add_given_row(&folded, (size_t)row_of[user] - 1, item_map, master->items.n, &made,
                              n);
        }
        made.matrix.offsets[user + 1] = (int64_t)n;
    }
    *out = made;
    made = (struct history){0};
done:
    history_release(&folded);
    history_release(&made);
    mem_free(user_map);
    mem_free(item_map);
    mem_free(row_of);
    return code;
}

static void drop_times(struct history *history)
{
    mem_free(history->times);
    history->times = NULL;
}

void interactions_drop_ordinals(struct interactions *out, bool test_has_times)
{
    for (size_t b = 0; b < N_BASES; b++) {
        struct dataset *set = &out->basis[b];
        if (!out->has_times) {
            drop_times(&set->train);
            drop_times(&set->valid);
            drop_times(&set->cold.history);
            drop_times(&set->dislikes);
        }
        if (!out->has_times || !test_has_times) {
            drop_times(&set->test);
        }
    }
    if (!out->has_times) {
        drop_times(&out->log);
        drop_times(&out->disliked);
    }
}

/* *parts: of which any rank has events. */
static enum status_code find_parts(const struct event_log *log, unsigned *parts,
                                   struct status *status)
{
    enum status_code code;
    unsigned here = 0;
    int64_t there[8] = {0}; /* by bit */

    for (size_t e = 0; e < log->n; e++) {
        here |= log->parts[e];
    }
    for (size_t bit = 0; bit < sizeof there / sizeof *there; bit++) {
        there[bit] = here >> bit & 1;
    }
    TRY(ranks_max_int64(log->ranks, there, sizeof there / sizeof *there, status));
    *parts = 0;
    for (size_t bit = 0; bit < sizeof there / sizeof *there; bit++) {
        *parts |= (unsigned)there[bit] << bit;
    }
done:
    return code;
}

static enum status_code fold_parts(const struct event_log *log, const struct event_log *given_test,
                                   const struct dataset_rules *rules, struct raw_parts *raw,
                                   struct interactions *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    unsigned parts = 0; /* that are there, as a sum of enum event_part */

    TRY(find_parts(log, &parts, status));
    raw->ranks = log->ranks;
    raw->has_valid = (parts & PART_VALID) != 0;
    raw->test_is_given = given_test != NULL;
    raw->has_test = raw->test_is_given || (parts & PART_TEST) != 0;
    raw->has_cold = (parts & PART_COLD_ASKED) != 0;
    raw->cold_items = log->cold_items;
    TRY(event_log_fold(log, PART_LOG, rules->duplicates, rules->half_life, &out->log, status));
    TRY(event_log_fold(log, PART_TRAIN, rules->duplicates, rules->half_life, &raw->train, status));
    if (raw->has_valid) {
        TRY(event_log_fold(log, PART_VALID, rules->duplicates, 0, &raw->valid, status));
    }
    if (raw->has_test && !raw->test_is_given) {
        TRY(event_log_fold(log, PART_TEST, rules->duplicates, 0, &raw->test, status));
    }
    if (raw->has_cold) {
        TRY(event_log_fold(log, PART_COLD_KNOWN, rules->duplicates, rules->half_life,
                           &raw->cold_known, status));
        TRY(event_log_fold(log, PART_COLD_ASKED, rules->duplicates, 0, &raw->cold_asked, status));
    }
done:
    return code;
}

static enum status_code add_cold_of_fit(const struct raw_parts *raw, size_t cap,
                                        struct interactions *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct history known = {0};
    struct cold_source source = {
        .known = &raw->train,
        .asked = {raw->has_test ? &raw->test : NULL, raw->has_cold ? &raw->cold_asked : NULL},
        .dropped = {raw->has_valid ? &raw->valid : NULL,
                    raw->test_is_given ? NULL : &raw->seen_before},
        .cold_items = raw->cold_items,
        .ranks = raw->ranks,
        .users = &out->users,
        .items = &out->items,
        .cap = cap};

    if (raw->has_cold) {
        TRY(history_merge(&raw->train, &raw->cold_known, &known, status));
        source.known = &known;
    }
    TRY(dataset_cold(&source, &out->basis[BASIS_FIT], status));
done:
    history_release(&known);
    return code;
}

/* Takes disliked pairs out of every part, and liked ones out of the dislikes; fills out->disliked
 * and what `raw` keeps of dislikes. The log itself stays whole: what was seen was seen. */
static enum status_code settle_dislikes(const struct event_log *dislikes, struct raw_parts *raw,
                                        struct interactions *out, struct status *status)
{
    enum status_code code = STATUS_OK;

    TRY(dislikes_fold(dislikes, PART_TRAIN, &out->users, &out->items, &raw->train_dislikes,
                      status));
    TRY(dislikes_fold(dislikes, PART_LOG, &out->users, &out->items, &out->disliked, status));
    if (raw->has_valid) {
        TRY(dislikes_settle(&raw->valid, &out->disliked, true, status));
    }
    if (raw->has_test && !raw->test_is_given) {
        TRY(dislikes_settle(&raw->test, &out->disliked, true, status));
    }
    TRY(dislikes_settle(&raw->train, &raw->train_dislikes, false, status));
    TRY(history_copy(&out->log, &raw->liked, status));
    TRY(dislikes_settle(&raw->liked, &out->disliked, false, status));
    raw->has_dislikes = true;
done:
    return code;
}

enum status_code seen_pairs_fold(struct event_log *seen, struct seen_pairs *out,
                                 struct status *status)
{
    enum status_code code;
    struct history folded = {0};

    TRY(event_log_fold(seen, PART_LOG, DUPLICATES_MAX, 0, &folded, status));
    out->users = seen->users;
    out->items = seen->items;
    seen->users = seen->items = (struct vocabulary){0};
    mem_free(folded.matrix.values);
    folded.matrix.values = NULL;
    out->pairs = folded.matrix;
    folded.matrix = (struct sparse){0};
done:
    history_release(&folded);
    return code;
}

/* Whether any rank's log has dislikes: where it has, all have a matrix of them. */
static enum status_code find_dislikes(const struct event_log *log, bool *found,
                                      struct status *status)
{
    *found = log->dislikes != NULL && log->dislikes->n > 0;
    return ranks_any(log->ranks, found, status);
}

/* Where repeats count, an item stays that has as many events as it would need users, a person's own
 * place for one: lasting (n_items) is 1 for those by the events of `parts`. */
static enum status_code mark_lasting(const struct event_log *log, unsigned parts,
                                     const struct dataset_rules *rules, size_t n_items,
                                     uint8_t *lasting, struct status *status)
{
    enum status_code code;
    int64_t *n_events = NULL;

    TRY(MEM_NEW(&n_events, n_items, status));
    for (size_t e = 0; e < log->n; e++) {
        n_events[log->item_codes[e]] += (log->parts[e] & parts) != 0;
    }
    TRY(ranks_sum_int64(log->ranks, n_events, n_items, status));
    for (size_t i = 0; i < n_items; i++) {
        lasting[i] = rules->repeats && n_events[i] >= rules->min_item_interactions;
    }
done:
    mem_free(n_events);
    return code;
}

enum status_code interactions_build(struct event_log *log, const struct event_log *given_test,
                                    const struct dataset_rules *rules, struct interactions *out,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    struct interactions made = {0};
    struct raw_parts raw = {0};
    struct dataset *fit = &made.basis[BASIS_FIT], *all = &made.basis[BASIS_ALL];
    const bool is_capped = rules->max_user_interactions > 0;
    uint8_t *lasting = NULL;
    bool found = false, has_dislikes;

    assert(log->user_start != NULL);
    TRY(fold_parts(log, given_test, rules, &raw, &made, status));
    made.users = log->users;
    made.items = log->items;
    log->users = log->items = (struct vocabulary){0};
    made.has_times = log->has_times;
    made.test_is_given = raw.test_is_given;
    fit->repeats = all->repeats = rules->repeats;
    if (log->has_times) {
        TRY(event_log_newest_of_all(log, PART_LOG, &made.newest_time, &found, status));
    }
    if (given_test != NULL) {
        TRY(fold_given(given_test, rules->duplicates, &made, &raw.test, status));
    }
    TRY(find_dislikes(log, &has_dislikes, status));
    if (has_dislikes) {
        TRY(settle_dislikes(log->dislikes, &raw, &made, status));
    }
    if (log->seen != NULL && log->seen->n > 0) {
        TRY(dislikes_fold(log->seen, PART_TRAIN, &made.users, &made.items, &raw.seen_early,
                          status));
        TRY(dislikes_fold(log->seen, PART_TRAIN | PART_VALID, &made.users, &made.items,
                          &raw.seen_before, status));
        TRY(seen_pairs_fold(log->seen, &made.seen, status));
    }
    TRY(MEM_NEW(&lasting, made.items.n, status));
    TRY(mark_lasting(log, PART_TRAIN, rules, made.items.n, lasting, status));
    const struct core_source of_fit = {log->ranks,  &raw.train, &made.users,
                                       &made.items, lasting,    "train part"};
    TRY(dataset_core(&of_fit, rules, fit, status));
    TRY(add_held_out(&raw, &raw.train, is_capped, BASIS_FIT, fit, status));
    TRY(add_cold_of_fit(&raw, (size_t)rules->max_user_interactions, &made, status));
    TRY(mark_lasting(log, PART_LOG, rules, made.items.n, lasting, status));
    const struct core_source of_log = {log->ranks,  raw.has_dislikes ? &raw.liked : &made.log,
                                       &made.users, &made.items,
                                       lasting,     "all events"};
    TRY(dataset_core(&of_log, rules, all, status));
    TRY(add_held_out(&raw, &made.log, is_capped, BASIS_ALL, all, status));
    const struct cold_source of_all = {.known = &made.log,
                                       .asked = {raw.test_is_given ? &raw.test : NULL, NULL},
                                       .ranks = log->ranks,
                                       .users = &made.users,
                                       .items = &made.items,
                                       .cap = (size_t)rules->max_user_interactions};
    TRY(dataset_cold(&of_all, all, status));
    if (raw.has_dislikes) {
        TRY(dislikes_renumber(&raw.train_dislikes, fit, status));
        TRY(dislikes_renumber(&made.disliked, all, status));
    }
    interactions_drop_ordinals(&made, given_test == NULL || given_test->has_times);
    *out = made;
    made = (struct interactions){0};
done:
    mem_free(lasting);
    raw_parts_release(&raw);
    interactions_release(&made);
    return code;
}
