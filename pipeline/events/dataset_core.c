/* The training part of a basis. */
#include "events/dataset_core.h"
#include "base/num.h"

#include "base/mem.h"
#include "events/history_cut.h"

/* One pair of a user with more of them than the cap. */
struct candidate {
    int64_t time;
    uint64_t tie;
    int64_t entry;
};

/* Newest first. */
static int compare_candidates(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;

    return num_compare_pairs(b->time, a->time, a->tie, b->tie);
}

enum status_code history_keep_newest(const struct history *raw, const struct vocabulary *users,
                                     const struct vocabulary *items, size_t cap, uint8_t **keep,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    struct candidate *candidates = NULL;
    const struct sparse *matrix = &raw->matrix;
    size_t longest = 0;

    for (size_t row = 0; row < matrix->n_rows; row++) {
        size_t length = sparse_row_length(matrix, row);
        longest = length > longest ? length : longest;
    }
    if (cap == 0 || longest <= cap) {
        return STATUS_OK;
    }
    TRY(MEM_NEW(&candidates, longest, status));
    TRY(MEM_NEW(keep, sparse_entries(matrix), status));
    for (size_t row = 0; row < matrix->n_rows; row++) {
        const int64_t first = matrix->offsets[row];
        const size_t n = sparse_row_length(matrix, row);
        if (n <= cap) {
            memset(*keep + first, 1, n);
            continue;
        }
        const uint64_t user = vocabulary_key(users, row);
        for (size_t i = 0; i < n; i++) {
            const int64_t entry = first + (int64_t)i;
            const uint64_t item = vocabulary_key(items, (size_t)matrix->columns[entry]);
            candidates[i] =
                (struct candidate){raw->times[entry], history_tie(0, user, item), entry};
        }
        qsort(candidates, n, sizeof *candidates, compare_candidates);
        for (size_t i = 0; i < cap; i++) {
            (*keep)[candidates[i].entry] = 1;
        }
    }
done:
    mem_free(candidates);
    return code;
}

/* The peeling of a k-core: nodes are users, then items (n_users + item). A node whose degree falls
 * below its minimum leaves, and lowers the degrees of its neighbours. Every entry is looked at once
 * from either side, so the time is linear however long the chain of departures. */
struct peeling {
    const struct sparse *by_user;
    const struct sparse *by_item; /* its transpose */
    const uint8_t *keep;          /* (entries of by_user) or NULL: all */
    const int64_t *item_entry;    /* (entries) place in by_user of each entry of by_item */
    const uint8_t *lasting;       /* (n_items) 1: an item that one user is enough for; or NULL */
    int64_t minimum[2];           /* of users, of items */
    int64_t *degree;              /* (n_users + n_items) */
    uint8_t *gone;                /* (n_users + n_items) */
    size_t *queue;                /* (n_users + n_items) nodes that left */
    size_t n_queued, n_dropped;   /* of the queue, those whose neighbours know */
    /* Several ranks, each with its own users: an item's degree is that over all of them, and what
       it has lost here is told to the others a round later. NULL at one. */
    int64_t *lost; /* (n_items) */
};

static void leave_if_poor(struct peeling *peeling, size_t node)
{
    const size_t n_users = peeling->by_user->n_rows;
    const bool is_item = node >= n_users;
    const bool lasts = is_item && peeling->lasting != NULL && peeling->lasting[node - n_users];

    if (!peeling->gone[node] && peeling->degree[node] < (lasts ? 1 : peeling->minimum[is_item])) {
        peeling->gone[node] = 1;
        peeling->queue[peeling->n_queued++] = node;
    }
}

static void drop_neighbours(struct peeling *peeling, size_t node)
{
    size_t n_users = peeling->by_user->n_rows;
    bool is_item = node >= n_users;
    const struct sparse *side = is_item ? peeling->by_item : peeling->by_user;
    size_t row = is_item ? node - n_users : node;

    for (int64_t e = side->offsets[row]; e < side->offsets[row + 1]; e++) {
        int64_t entry = is_item ? peeling->item_entry[e] : e;
        if (peeling->keep != NULL && !peeling->keep[entry]) {
            continue;
        }
        if (!is_item && peeling->lost != NULL) {
            peeling->lost[side->columns[e]]++;
            continue;
        }
        size_t neighbour = (size_t)side->columns[e] + (is_item ? 0 : n_users);
        peeling->degree[neighbour]--;
        leave_if_poor(peeling, neighbour);
    }
}

static void drop_queued(struct peeling *peeling)
{
    for (; peeling->n_dropped < peeling->n_queued; peeling->n_dropped++) {
        drop_neighbours(peeling, peeling->queue[peeling->n_dropped]);
    }
}

/* Drops what is queued, on all ranks, until nothing leaves any more. What is left does not depend
 * on the order of departures. */
static enum status_code drop_all(struct peeling *peeling, struct ranks *ranks,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n_users = peeling->by_user->n_rows, n_items = peeling->by_user->n_columns;
    bool any = peeling->lost != NULL;

    drop_queued(peeling);
    while (any) {
        any = false;
        TRY(ranks_sum_int64(ranks, peeling->lost, n_items, status));
        for (size_t i = 0; i < n_items; i++) {
            any = any || peeling->lost[i] > 0;
            peeling->degree[n_users + i] -= peeling->lost[i];
            peeling->lost[i] = 0;
            leave_if_poor(peeling, n_users + i);
        }
        drop_queued(peeling);
    }
done:
    return code;
}

/* entry_of (entries) = the place in m of each entry of its transpose. */
static enum status_code transpose_places(const struct sparse *m, const struct sparse *transposed,
                                         int64_t **entry_of, struct status *status)
{
    enum status_code code = STATUS_OK;
    int64_t *next = NULL, *places = NULL;

    TRY(MEM_NEW(&next, transposed->n_rows + 1, status));
    TRY(MEM_NEW(&places, sparse_entries(m), status));
    memcpy(next, transposed->offsets, (transposed->n_rows + 1) * sizeof *next);
    for (int64_t e = 0; e < (int64_t)sparse_entries(m); e++) {
        places[next[m->columns[e]]++] = e;
    }
    *entry_of = places;
    places = NULL;
done:
    mem_free(next);
    mem_free(places);
    return code;
}

/* degree (n_users + n_items), zeroed before: kept entries of each user, and over all ranks of each
 * item. */
static enum status_code count_degrees(const struct core_source *source, const uint8_t *keep,
                                      int64_t *degree, struct status *status)
{
    const struct sparse *matrix = &source->raw->matrix;

    for (size_t user = 0; user < matrix->n_rows; user++) {
        for (int64_t e = matrix->offsets[user]; e < matrix->offsets[user + 1]; e++) {
            if (keep == NULL || keep[e]) {
                degree[user]++;
                degree[matrix->n_rows + (size_t)matrix->columns[e]]++;
            }
        }
    }
    return ranks_sum_int64(source->ranks, degree + matrix->n_rows, matrix->n_columns, status);
}

/* gone (n_users + n_items) = 1 for what is outside the k-core of the kept entries. */
static enum status_code peel(const struct core_source *source, const uint8_t *keep,
                             const struct dataset_rules *rules, uint8_t *gone,
                             struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sparse *matrix = &source->raw->matrix;
    struct sparse by_item = {0}, pattern = *matrix;
    int64_t *item_entry = NULL;
    const size_t n_nodes = matrix->n_rows + matrix->n_columns;
    struct peeling peeling = {
        .by_user = matrix, .keep = keep, .lasting = source->lasting, .gone = gone};

    pattern.values = NULL;
    TRY(MEM_NEW(&peeling.degree, n_nodes, status));
    TRY(MEM_NEW(&peeling.queue, n_nodes, status));
    if (ranks_n(source->ranks) > 1) {
        TRY(MEM_NEW(&peeling.lost, matrix->n_columns, status));
    }
    peeling.minimum[0] = rules->min_user_interactions > 1 ? rules->min_user_interactions : 1;
    peeling.minimum[1] = rules->min_item_interactions > 1 ? rules->min_item_interactions : 1;
    TRY(count_degrees(source, keep, peeling.degree, status));
    for (size_t node = 0; node < n_nodes; node++) {
        leave_if_poor(&peeling, node);
    }
    if (peeling.minimum[0] == 1 && peeling.minimum[1] == 1) {
        goto done; /* who left had no neighbours */
    }
    TRY(sparse_transpose(&pattern, &by_item, status));
    TRY(transpose_places(matrix, &by_item, &item_entry, status));
    peeling.by_item = &by_item;
    peeling.item_entry = item_entry;
    TRY(drop_all(&peeling, source->ranks, status));
done:
    sparse_release(&by_item);
    mem_free(peeling.degree);
    mem_free(peeling.lost);
    mem_free(item_entry);
    mem_free(peeling.queue);
    return code;
}

enum status_code dataset_list_codes(const uint8_t *left_out, size_t n, const int32_t **codes,
                                    size_t *n_codes, struct status *status)
{
    enum status_code code = STATUS_OK;
    int32_t *list = NULL;
    size_t n_listed = 0;

    for (size_t c = 0; c < n; c++) {
        n_listed += !left_out[c];
    }
    TRY(MEM_NEW(&list, n_listed, status));
    *codes = list;
    *n_codes = n_listed;
    for (size_t c = 0; c < n; c++) {
        if (!left_out[c]) {
            *list++ = (int32_t)c;
        }
    }
done:
    return code;
}

/* train = the kept entries of the dataset's users and items, in its own numbers. */
static enum status_code take_train(const struct history *raw, const uint8_t *keep,
                                   struct dataset *set, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct history_cut cut = {0};

    TRY(history_cut_start(&cut, set, &raw->matrix, status));
    cut.part = raw;
    cut.keep = keep;
    TRY(history_cut_take(&cut, &set->train, NULL, status));
done:
    history_cut_release(&cut);
    return code;
}

/* Nobody has a pair left, on any rank. */
static enum status_code check_any(const struct core_source *source,
                                  const struct dataset_rules *rules, size_t n_users,
                                  struct status *status)
{
    enum status_code code;
    int64_t counts[2] = {(int64_t)n_users, (int64_t)sparse_entries(&source->raw->matrix)};

    TRY(ranks_sum_int64(source->ranks, counts, 2, status));
    if (counts[0] == 0) {
        code =
            status_set(status, STATUS_DATA,
                       "no interaction is left to train on (%s): min_user_interactions: %lld and "
                       "min_item_interactions: %lld took all of the %lld user-item pairs; lower "
                       "them",
                       source->name, (long long)rules->min_user_interactions,
                       (long long)rules->min_item_interactions, (long long)counts[1]);
    }
done:
    return code;
}

enum status_code dataset_core(const struct core_source *source, const struct dataset_rules *rules,
                              struct dataset *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sparse *matrix = &source->raw->matrix;
    uint8_t *keep = NULL, *gone = NULL;

    TRY(history_keep_newest(source->raw, source->users, source->items,
                            (size_t)rules->max_user_interactions, &keep, status));
    TRY(MEM_NEW(&gone, matrix->n_rows + matrix->n_columns, status));
    TRY(peel(source, keep, rules, gone, status));
    TRY(dataset_list_codes(gone, matrix->n_rows, &out->users, &out->n_users, status));
    TRY(dataset_list_codes(gone + matrix->n_rows, matrix->n_columns, &out->items, &out->n_items,
                           status));
    TRY(check_any(source, rules, out->n_users, status));
    TRY(take_train(source->raw, keep, out, status));
done:
    mem_free(keep);
    mem_free(gone);
    return code;
}

enum status_code dataset_copy_codes(const int32_t *codes, size_t n, const int32_t **out,
                                    size_t *n_out, struct status *status)
{
    int32_t *copy = NULL;
    enum status_code code = MEM_NEW(&copy, n, status);
    if (code == STATUS_OK) {
        memcpy(copy, codes, n * sizeof *copy);
        *out = copy;
        *n_out = n;
    }
    return code;
}

enum status_code dataset_core_known(const struct core_source *source,
                                    const struct dataset_rules *rules,
                                    const struct core_codes *core, struct dataset *out,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    uint8_t *keep = NULL;

    TRY(history_keep_newest(source->raw, source->users, source->items,
                            (size_t)rules->max_user_interactions, &keep, status));
    TRY(dataset_copy_codes(core->users, core->n_users, &out->users, &out->n_users, status));
    TRY(dataset_copy_codes(core->items, core->n_items, &out->items, &out->n_items, status));
    TRY(take_train(source->raw, keep, out, status));
done:
    mem_free(keep);
    return code;
}
