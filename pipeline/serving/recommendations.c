/* The artifact "recommendations". How the lists are made is stages/recommend.c's business, how they
 * reach a database the publish stage's. */
#include "serving/recommendations.h"

#include "base/mem.h"

#include <math.h>
#include <stddef.h>

/* One array of the artifact: where its pointer and its extents stand in the struct. */
struct member {
    const char *name;
    enum array_type type;
    size_t pointer, rows, columns; /* offsets; columns SIZE_MAX: one column */
};

#define AT(field) offsetof(struct recommendations, field)

static const struct member members[] = {
    {"served", ARRAY_I32, AT(served), AT(n_served), SIZE_MAX},
    {"items", ARRAY_I32, AT(items), AT(n_served), AT(top)},
    {"scores", ARRAY_F32, AT(scores), AT(n_served), AT(top)},
    {"sources", ARRAY_U8, AT(sources), AT(n_served), AT(top)},
    {"reasons.items", ARRAY_I32, AT(reason_items), AT(n_served), AT(n_reasons_all)},
    {"reasons.scores", ARRAY_F32, AT(reason_scores), AT(n_served), AT(n_reasons_all)},
    {"parts", ARRAY_F32, AT(part_values), AT(n_served), AT(n_parts_all)},
    {"popular.items", ARRAY_I32, AT(popular_items), AT(n_popular), SIZE_MAX},
    {"popular.scores", ARRAY_F32, AT(popular_scores), AT(n_popular), SIZE_MAX},
    {"segments.items", ARRAY_I32, AT(segment_items), AT(n_segment_rows), SIZE_MAX},
    {"segments.codes", ARRAY_I32, AT(segment_codes), AT(n_segment_rows), SIZE_MAX},
    {"segments.ranks", ARRAY_I32, AT(segment_ranks), AT(n_segment_rows), SIZE_MAX},
    {"segments.scores", ARRAY_F32, AT(segment_scores), AT(n_segment_rows), SIZE_MAX},
    {"segments.offsets", ARRAY_I64, AT(segment_offsets), AT(n_segment_offsets), SIZE_MAX},
    {"segments.bytes", ARRAY_U8, AT(segment_bytes), AT(n_segment_bytes), SIZE_MAX},
    {"similar.anchors", ARRAY_I32, AT(similar_anchors), AT(n_similar_anchors), SIZE_MAX},
    {"similar.items", ARRAY_I32, AT(similar_items), AT(n_similar_anchors), AT(similar_top)},
    {"similar.scores", ARRAY_F32, AT(similar_scores), AT(n_similar_anchors), AT(similar_top)},
    {"trending.items", ARRAY_I32, AT(trending_items), AT(n_trending), SIZE_MAX},
    {"trending.users", ARRAY_I32, AT(trending_users), AT(n_trending), SIZE_MAX},
    {"trending.days", ARRAY_I32, AT(trending_days), AT(n_trending), SIZE_MAX},
    {"trending.ranks", ARRAY_I32, AT(trending_ranks), AT(n_trending), SIZE_MAX},
    {"trending.categories", ARRAY_I32, AT(trending_categories), AT(n_trending), SIZE_MAX},
    {"categories.offsets", ARRAY_I64, AT(category_offsets), AT(n_category_offsets), SIZE_MAX},
    {"categories.bytes", ARRAY_U8, AT(category_bytes), AT(n_category_bytes), SIZE_MAX},
    {"similar_users.anchors", ARRAY_I32, AT(similar_user_anchors), AT(n_similar_users), SIZE_MAX},
    {"similar_users.users", ARRAY_I32, AT(similar_users), AT(n_similar_users),
     AT(similar_users_top)},
    {"similar_users.scores", ARRAY_F32, AT(similar_user_scores), AT(n_similar_users),
     AT(similar_users_top)},
    {"live.item.codes", ARRAY_I32, AT(live.item_codes), AT(live.n_items), SIZE_MAX},
    {"live.item.users", ARRAY_I32, AT(live.item_users), AT(live.n_items), SIZE_MAX},
    {"live.item.boosts", ARRAY_F32, AT(live.item_boosts), AT(live.n_items), SIZE_MAX},
    {"live.eligible", ARRAY_U8, AT(live.eligible), AT(live.n_eligible), SIZE_MAX},
    {"live.user.codes", ARRAY_I32, AT(live.user_codes), AT(live.n_users), SIZE_MAX},
    {"live.user.segments", ARRAY_I32, AT(live.user_segments), AT(live.n_users), SIZE_MAX},
    {"live.history.offsets", ARRAY_I64, AT(live.history_offsets), AT(live.n_user_offsets),
     SIZE_MAX},
    {"live.barred.offsets", ARRAY_I64, AT(live.barred_offsets), AT(live.n_user_offsets), SIZE_MAX},
    {"live.history.items", ARRAY_I32, AT(live.history_items), AT(live.n_history), SIZE_MAX},
    {"live.history.weights", ARRAY_F32, AT(live.history_weights), AT(live.n_history), SIZE_MAX},
    {"live.history.times", ARRAY_I64, AT(live.history_times), AT(live.n_history), SIZE_MAX},
    {"live.barred.items", ARRAY_I32, AT(live.barred_items), AT(live.n_barred), SIZE_MAX},
    {"live.evidence.offsets", ARRAY_I64, AT(live.pair_offsets[LIVE_EVIDENCE]),
     AT(live.n_pair_offsets[LIVE_EVIDENCE]), SIZE_MAX},
    {"live.evidence.items", ARRAY_I32, AT(live.pair_items[LIVE_EVIDENCE]),
     AT(live.n_pairs[LIVE_EVIDENCE]), SIZE_MAX},
    {"live.evidence.weights", ARRAY_F32, AT(live.pair_weights[LIVE_EVIDENCE]),
     AT(live.n_pairs[LIVE_EVIDENCE]), SIZE_MAX},
    {"live.transitions.offsets", ARRAY_I64, AT(live.pair_offsets[LIVE_TRANSITIONS]),
     AT(live.n_pair_offsets[LIVE_TRANSITIONS]), SIZE_MAX},
    {"live.transitions.items", ARRAY_I32, AT(live.pair_items[LIVE_TRANSITIONS]),
     AT(live.n_pairs[LIVE_TRANSITIONS]), SIZE_MAX},
    {"live.transitions.weights", ARRAY_F32, AT(live.pair_weights[LIVE_TRANSITIONS]),
     AT(live.n_pairs[LIVE_TRANSITIONS]), SIZE_MAX},
    {"live.ridge.offsets", ARRAY_I64, AT(live.pair_offsets[LIVE_RIDGE]),
     AT(live.n_pair_offsets[LIVE_RIDGE]), SIZE_MAX},
    {"live.ridge.items", ARRAY_I32, AT(live.pair_items[LIVE_RIDGE]), AT(live.n_pairs[LIVE_RIDGE]),
     SIZE_MAX},
    {"live.ridge.weights", ARRAY_F32, AT(live.pair_weights[LIVE_RIDGE]),
     AT(live.n_pairs[LIVE_RIDGE]), SIZE_MAX},
    {"cold.users", ARRAY_I32, AT(cold_users), AT(n_cold), SIZE_MAX},
    {"cold.vectors", ARRAY_F32, AT(cold_vectors), AT(n_cold), AT(dimension)},
    {"item_bias", ARRAY_F32, AT(item_bias), AT(n_vectors), SIZE_MAX},
};
enum { N_MEMBERS = sizeof members / sizeof *members };

static const struct {
    const char *name;
    size_t value; /* offset of a double */
} numbers[] = {
    {"temperature", AT(temperature)},
    {"beta", AT(weights.beta)},
    {"gamma", AT(weights.gamma)},
    {"exponent", AT(weights.exponent)},
    {"segments.prior", AT(segment_prior)},
    {"index.lists", AT(users_index.n_lists)},
    {"index.probes", AT(users_index.n_probes)},
    {"index.recall", AT(users_index.recall)},
    {"similar_index.lists", AT(similar_index.n_lists)},
    {"similar_index.probes", AT(similar_index.n_probes)},
    {"similar_index.recall", AT(similar_index.recall)},
    {"live.known", AT(live.n_known)},
    {"live.time", AT(live.time)},
    {"live.has_times", AT(live.has_times)},
    {"live.repeats", AT(live.repeats)},
};
enum { N_NUMBERS = sizeof numbers / sizeof *numbers };

static double *number(struct recommendations *recommendations, size_t index)
{
    return (double *)(void *)((char *)recommendations + numbers[index].value);
}

static size_t *extent(struct recommendations *recommendations, size_t offset)
{
    return (size_t *)(void *)((char *)recommendations + offset);
}

static void *pointer(const struct recommendations *recommendations, const struct member *member)
{
    return mem_pointer_at((const char *)recommendations + member->pointer);
}

enum status_code recommendations_save(struct recommendations *recommendations,
                                      struct artifact *artifact, struct status *status)
{
    enum status_code code = STATUS_OK;
    artifact_init(artifact, "recommendations");
    /* every pointer is handed over, also after a failure: the artifact owns what it was given */
    for (size_t m = 0; m < N_MEMBERS; m++) {
        const struct member *member = &members[m];
        size_t rows = *extent(recommendations, member->rows);
        size_t columns =
            member->columns == SIZE_MAX ? 1 : *extent(recommendations, member->columns);
        enum status_code taken = artifact_take(artifact, member->name, member->type, rows, columns,
                                               pointer(recommendations, member), status);
        code = code == STATUS_OK ? taken : code;
    }
    recommendations->is_view = true;
    TRY(code);
    for (size_t n = 0; n < N_NUMBERS; n++) {
        TRY(artifact_set_number(artifact, numbers[n].name, *number(recommendations, n), status));
    }
    TRY(score_parts_save(&recommendations->weights, artifact, status));
done:
    if (code != STATUS_OK) {
        artifact_release(artifact);
        *recommendations = (struct recommendations){.is_view = true};
    }
    return code;
}

enum status_code recommendations_load(struct recommendations *recommendations,
                                      const struct artifact *artifact, struct status *status)
{
    struct recommendations view = {.is_view = true};
    enum status_code code;
    for (size_t m = 0; m < N_MEMBERS; m++) {
        const struct member *member = &members[m];
        const void *data;
        size_t rows, columns;
        TRY(artifact_get(artifact, member->name, member->type, &data, &rows, &columns, status));
        mem_set_pointer((char *)&view + member->pointer, data);
        *extent(&view, member->rows) = rows;
        if (member->columns != SIZE_MAX) {
            *extent(&view, member->columns) = columns;
        }
    }
    for (size_t m = 0; m < N_MEMBERS; m++) { /* arrays that share an extent agree on it */
        const struct member *member = &members[m];
        const void *data;
        TRY(artifact_get_sized(artifact, member->name, member->type, *extent(&view, member->rows),
                               member->columns == SIZE_MAX ? 1 : *extent(&view, member->columns),
                               &data, status));
    }
    for (size_t n = 0; n < N_NUMBERS; n++) {
        TRY(artifact_get_number(artifact, numbers[n].name, number(&view, n), status));
    }
    TRY(score_parts_load(&view.weights, artifact, status));
    view.n_reasons = view.top == 0 ? 0 : view.n_reasons_all / view.top;
    view.n_parts = view.top == 0 ? 0 : view.n_parts_all / view.top;
    *recommendations = view;
done:
    return code;
}

/* Whether all of codes (n) are from -1, which is nobody, to limit - 1. */
static bool in_range(const int32_t *codes, size_t n, size_t limit)
{
    bool fits = true;
    for (size_t i = 0; i < n; i++) {
        fits = fits && codes[i] >= -1 && (codes[i] < 0 || (size_t)codes[i] < limit);
    }
    return fits;
}

/* Offsets (n) that ascend from 0 to the end of the bytes, and codes of theirs. */
static bool names_are_sound(const int64_t *offsets, size_t n, size_t n_bytes, const int32_t *codes,
                            size_t n_codes)
{
    bool fits = n > 0 && offsets[0] == 0 && offsets[n - 1] == (int64_t)n_bytes &&
                in_range(codes, n_codes, n - 1);
    for (size_t c = 1; fits && c < n; c++) {
        fits = offsets[c - 1] <= offsets[c];
    }
    return fits;
}

/* Ascending, from 0 to n. */
static bool offsets_are_sound(const int64_t *offsets, size_t n_offsets, size_t n)
{
    bool fits = n_offsets == 0 ? n == 0 : offsets[0] == 0 && offsets[n_offsets - 1] == (int64_t)n;
    for (size_t o = 1; fits && o < n_offsets; o++) {
        fits = offsets[o - 1] <= offsets[o];
    }
    return fits;
}

static bool live_is_sound(const struct live *live, size_t n_users, size_t n_items)
{
    const size_t n = live->n_items;
    bool fits = in_range(live->item_codes, n, n_items) &&
                codes_are_sound(live->user_codes, live->n_users, n_users) &&
                (n == 0 ? live->n_eligible == 0 : live->n_eligible % n == 0) &&
                (live->n_users == 0 || live->n_user_offsets == live->n_users + 1) &&
                offsets_are_sound(live->history_offsets, live->n_user_offsets, live->n_history) &&
                offsets_are_sound(live->barred_offsets, live->n_user_offsets, live->n_barred) &&
                in_range(live->history_items, live->n_history, n) &&
                in_range(live->barred_items, live->n_barred, n);
    for (int s = 0; fits && s < N_LIVE_SOURCES; s++) {
        fits =
            live->n_pair_offsets[s] <= n + 1 &&
            offsets_are_sound(live->pair_offsets[s], live->n_pair_offsets[s], live->n_pairs[s]) &&
            in_range(live->pair_items[s], live->n_pairs[s], n);
    }
    return fits;
}

static bool is_finite(const struct recommendations *recommendations, const struct member *member)
{
    const char *at = (const char *)recommendations;
    const float *values = pointer(recommendations, member);
    size_t n, columns = 1;
    bool finite = true;
    memcpy(&n, at + member->rows, sizeof n);
    if (member->columns != SIZE_MAX) {
        memcpy(&columns, at + member->columns, sizeof columns);
    }
    for (size_t i = 0; i < n * columns; i++) {
        finite = finite && isfinite(values[i]);
    }
    return finite;
}

enum status_code recommendations_check(const struct recommendations *r, size_t n_users,
                                       size_t n_items, struct status *status)
{
    struct score_term terms[SCORE_TERMS_MAX];
    bool fits =
        r->n_reasons_all == r->n_reasons * r->top && r->n_parts_all == r->n_parts * r->top &&
        (r->n_parts == 0 || r->n_parts == score_terms(&r->weights, r->temperature, terms)) &&
        codes_are_sound(r->served, r->n_served, n_users) &&
        in_range(r->items, r->n_served * r->top, n_items) &&
        in_range(r->reason_items, r->n_served * r->n_reasons_all, n_items) &&
        in_range(r->popular_items, r->n_popular, n_items) &&
        codes_are_sound(r->similar_anchors, r->n_similar_anchors, n_items) &&
        in_range(r->similar_items, r->n_similar_anchors * r->similar_top, n_items) &&
        in_range(r->trending_items, r->n_trending, n_items) &&
        names_are_sound(r->category_offsets, r->n_category_offsets, r->n_category_bytes,
                        r->trending_categories, r->n_trending) &&
        in_range(r->segment_items, r->n_segment_rows, n_items) &&
        names_are_sound(r->segment_offsets, r->n_segment_offsets, r->n_segment_bytes,
                        r->segment_codes, r->n_segment_rows) &&
        codes_are_sound(r->similar_user_anchors, r->n_similar_users, n_users) &&
        in_range(r->similar_users, r->n_similar_users * r->similar_users_top, n_users) &&
        codes_are_sound(r->cold_users, r->n_cold, n_users) &&
        live_is_sound(&r->live, n_users, n_items);
    for (size_t i = 0; fits && i < r->n_served * r->n_reasons_all; i++) { /* none for no item */
        fits = r->reason_items[i] < 0 || r->items[i / r->n_reasons] >= 0;
    }
    for (size_t m = 0; m < N_MEMBERS; m++) {
        fits = fits && (members[m].type != ARRAY_F32 || is_finite(r, &members[m]));
    }
    for (size_t n = 0; n < N_NUMBERS; n++) {
        double value;
        memcpy(&value, (const char *)r + numbers[n].value, sizeof value);
        fits = fits && isfinite(value);
    }
    return fits ? STATUS_OK
                : status_set(status, STATUS_DATA,
                             "artifact recommendations: it has codes that %zu users and %zu items "
                             "have not, or scores that are no numbers; the work database is of "
                             "another version or damaged: delete "
                             "it and run again",
                             n_users, n_items);
}

void recommendations_rest(const struct recommendations *recommendations)
{
    for (size_t m = 0; m < N_MEMBERS; m++) {
        spill_rest(pointer(recommendations, &members[m]));
    }
}

void recommendations_release(struct recommendations *recommendations)
{
    for (size_t m = 0; !recommendations->is_view && m < N_MEMBERS; m++) {
        mem_free(pointer(recommendations, &members[m]));
    }
    *recommendations = (struct recommendations){0};
}

enum status_code recommendations_copy_names(const struct vocabulary *names, int64_t **offsets,
                                            size_t *n_offsets, uint8_t **bytes, size_t *n_bytes,
                                            struct status *status)
{
    const size_t n = names == NULL ? 0 : names->n;
    const size_t length = n == 0 ? 0 : (size_t)names->texts.offsets[n];
    enum status_code code;
    TRY(MEM_NEW(offsets, n + 1, status));
    TRY(MEM_NEW(bytes, length, status));
    for (size_t c = 0; n > 0 && c <= n; c++) {
        (*offsets)[c] = names->texts.offsets[c];
    }
    for (size_t b = 0; b < length; b++) {
        (*bytes)[b] = (uint8_t)names->texts.bytes[b];
    }
    *n_offsets = n + 1;
    *n_bytes = length;
done:
    return code;
}
