/* Whether a content is what publish_content.h promises, before any of it is written. */
#include "publishing/publish_parts.h"

#include <math.h>

static enum status_code broken(const char *what, size_t index, struct status *status)
{
    return status_set(status, STATUS_INTERNAL, "publish: %s (entry %zu)", what, index);
}

static enum status_code check_ids(const struct publish_ids *ids, const char *what,
                                  struct status *status)
{
    if (ids->n > INT32_MAX) {
        return broken("more ids than codes can number", ids->n, status);
    }
    for (size_t i = 1; !ids->is_text && i < ids->n; i++) {
        if (ids->integers[i - 1] >= ids->integers[i]) {
            return broken(what, i, status);
        }
    }
    return STATUS_OK;
}

/* Codes of keys: in range and ascending. */
static enum status_code check_keys(const int32_t *codes, size_t n, const struct publish_ids *ids,
                                   const char *what, struct status *status)
{
    for (size_t i = 0; i < n; i++) {
        if (codes[i] < 0 || (size_t)codes[i] >= ids->n || (i > 0 && codes[i - 1] >= codes[i])) {
            return broken(what, i, status);
        }
    }
    return STATUS_OK;
}

static enum status_code check_finite(const float *values, size_t n, const char *what,
                                     struct status *status)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(values[i])) {
            return broken(what, i, status);
        }
    }
    return STATUS_OK;
}

/* Every item of the lists is known and its score finite; entries behind a list's end do not count.
 */
static enum status_code check_lists(const int32_t *entries, const float *scores, size_t n_lists,
                                    size_t top, size_t n_items, const char *what,
                                    struct status *status)
{
    for (size_t i = 0; publish_seek_entry(entries, n_lists, top, &i); i++) {
        if ((size_t)entries[i] >= n_items || !isfinite(scores[i])) {
            return broken(what, i, status);
        }
    }
    return STATUS_OK;
}

static enum status_code check_sources(const uint8_t *sources, size_t n, const char *what,
                                      struct status *status)
{
    for (size_t i = 0; i < n; i++) {
        if (sources[i] >= PUBLISH_N_SOURCES) {
            return broken(what, i, status);
        }
    }
    return STATUS_OK;
}

static enum status_code check_recommendations(const struct publish_content *content,
                                              struct status *status)
{
    enum status_code code;
    TRY(check_keys(content->served, content->n_served, &content->users,
                   "served users must be known and ascend", status));
    TRY(check_lists(content->rec_items, content->rec_scores, content->n_served, content->top,
                    content->items.n, "recommended items must be known, their scores finite",
                    status));
    for (size_t i = 0; publish_seek_entry(content->rec_items, content->n_served, content->top, &i);
         i++) {
        if (content->rec_sources[i] >= PUBLISH_N_SOURCES) {
            TRY(broken("a recommendation of unknown source", i, status));
        }
    }
    TRY(check_lists(content->reason_items, content->reason_scores, content->n_served * content->top,
                    content->n_reasons, content->items.n,
                    "items of reasons must be known, their contributions finite", status));
    for (size_t i = 0; publish_seek_entry(content->reason_items, content->n_served * content->top,
                                          content->n_reasons, &i);
         i++) {
        if (content->rec_items[i / content->n_reasons] < 0) {
            TRY(broken("a reason for no recommendation", i, status));
        }
    }
    for (size_t i = 0; i < content->n_served * content->top * content->n_parts; i++) {
        const bool ends = content->rec_items[i / content->n_parts] < 0;
        if (!isfinite(content->part_values[i]) || (ends && content->part_values[i] != 0)) {
            TRY(broken("parts must be finite, and of a recommendation", i, status));
        }
    }
done:
    return code;
}

static enum status_code check_vectors(const struct publish_content *content, struct status *status)
{
    enum status_code code;
    size_t n_users = content->n_user_vectors, n_items = content->n_item_vectors;
    if (n_users + n_items > 0 && content->dimension == 0) {
        TRY(broken("vectors without a dimension", 0, status));
    }
    TRY(check_keys(content->user_vector_codes, n_users, &content->users,
                   "users with vectors must be known and ascend", status));
    TRY(check_keys(content->item_vector_codes, n_items, &content->items,
                   "items with vectors must be known and ascend", status));
    TRY(check_finite(content->user_vectors, n_users * content->dimension,
                     "a user vector is not finite", status));
    TRY(check_finite(content->item_vectors, n_items * content->dimension,
                     "an item vector is not finite", status));
    TRY(check_finite(content->item_bias, n_items, "an item's bias is not finite", status));
    TRY(check_sources(content->user_vector_sources, n_users, "a user vector of unknown source",
                      status));
    TRY(check_sources(content->item_vector_sources, n_items, "an item vector of unknown source",
                      status));
done:
    return code;
}

/* Of this rank. */
static void count_rows(const struct publish_content *content, bool is_first,
                       int64_t counts[N_COUNTS])
{
    struct batch_cell cells[CELLS_MAX];
    for (int table = 0; table < N_TABLES; table++) {
        const bool counts_here = is_first || publish_is_spread((enum publish_table)table);
        size_t position = 0;
        counts[table] = 0;
        while (counts_here &&
               publish_next_row(content, (enum publish_table)table, &position, cells)) {
            counts[table]++;
        }
    }
    counts[COUNT_SERVED] = (int64_t)content->n_served;
}

enum status_code publish_check_content(const struct publish_content *content, struct ranks *ranks,
                                       int64_t counts[N_COUNTS], struct status *status)
{
    enum status_code code;
    TRY(check_ids(&content->users, "integer user ids must ascend with their codes", status));
    TRY(check_ids(&content->items, "integer item ids must ascend with their codes", status));
    TRY(check_recommendations(content, status));
    TRY(check_lists(content->popular_items, content->popular_scores, content->n_popular, 1,
                    content->items.n, "popular items must be known, their scores finite", status));
    TRY(check_lists(content->segment_items, content->segment_scores, content->n_segment_rows, 1,
                    content->items.n, "popular items must be known, their scores finite", status));
    TRY(check_keys(content->similar_anchors, content->n_similar_anchors, &content->items,
                   "items with similar items must be known and ascend", status));
    TRY(check_lists(content->similar_items, content->similar_scores, content->n_similar_anchors,
                    content->similar_top, content->items.n,
                    "similar items must be known, their scores finite", status));
    TRY(check_lists(content->similar_users, content->similar_user_scores, content->n_similar_users,
                    content->similar_users_top, content->users.n,
                    "similar users must be known, their scores finite", status));
    TRY(check_vectors(content, status));
    count_rows(content, ranks_is_first(ranks), counts);
    TRY(ranks_sum_int64(ranks, counts, N_COUNTS, status));
    if (counts[TABLE_RECOMMENDATIONS] == 0) {
        TRY(status_set(status, STATUS_DATA,
                       "there is nothing to publish: no user has a recommendation; what was "
                       "published before stays"));
    }
done:
    return code;
}
