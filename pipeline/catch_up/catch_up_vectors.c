/* Vectors by row: placed, made of one another where there is none, saved. */
#include "catch_up/catch_up_vectors.h"

#include "base/mem.h"
#include "catch_up/newcomers.h"
#include "dataset/vocabulary_merge.h"
#include "run/context.h"
#include "run/context_data.h"

static const struct dataset *all_of(const struct catch_up_request *request)
{
    return &request->now->basis[BASIS_ALL];
}

/* What the sides of tonight and of the towers are called there. */
struct side_view {
    struct coded_rows before, now;
    struct const_matrix known, cold;
    const int32_t *cold_codes;
};

static struct side_view view_side(const struct catch_up_request *request, enum tower_side side)
{
    const struct catch_up_start *start = request->start;
    const struct embeddings *embeddings = &start->embeddings;
    const struct dataset *all = all_of(request);

    if (side == SIDE_USERS) {
        return (struct side_view){
            .before = {&start->users, start->user_codes, embeddings->users.rows},
            .now = {&request->now->users, all->users, all->n_users},
            .known = embeddings->users,
            .cold = embeddings->cold_users,
            .cold_codes = embeddings->cold_user_codes};
    }
    return (struct side_view){.before = {&start->items, start->item_codes, embeddings->items.rows},
                              .now = {&request->now->items, all->items, all->n_items},
                              .known = embeddings->items,
                              .cold = embeddings->cold_items,
                              .cold_codes = embeddings->cold_item_codes};
}

/* The towers' cold vector with this code, or NULL; `next` goes on from call to call, by ascending
 * code. */
static const float *cold_at(const struct start_side *side, struct const_matrix cold, int32_t code,
                            size_t *next)
{
    while (*next < side->n_cold && side->cold_codes[*next] < code) {
        (*next)++;
    }
    return *next < side->n_cold && side->cold_codes[*next] == code
               ? matrix_row(cold, (size_t)side->cold_rows[*next])
               : NULL;
}

/* The vectors that the towers have: of rows, and cold ones of what is a row tonight. */
static enum status_code place_side(struct catch_up_vectors *vectors,
                                   const struct catch_up_request *request, enum tower_side side,
                                   const struct features *features, struct status *status)
{
    enum status_code code;
    const struct side_view view = view_side(request, side);
    const enum feature_side which = side == SIDE_USERS ? FEATURE_USERS : FEATURE_ITEMS;
    struct start_side *start = &vectors->side[side];
    size_t d = vectors->dimension, next = 0;

    TRY(start_side_init(start, &view.before, &view.now, view.cold_codes, view.cold.rows,
                        features == NULL ? NULL : &features->side[which].extra, status));
    TRY(SPILL_NEW(context_settings(request->context)->work.database, &vectors->vectors[side],
                  view.now.n * d, status));
    for (size_t r = 0; d > 0 && r < view.now.n; r++) {
        const float *from = start->row_of[r] >= 0
                                ? matrix_row(view.known, (size_t)start->row_of[r])
                                : cold_at(start, view.cold, view.now.codes[r], &next);
        if (from != NULL) {
            memcpy(vectors->vectors[side] + r * d, from, d * sizeof(float));
        }
        if (from != NULL && vectors->sequence.dimension > 0) {
            (void)known_normalise(vectors->vectors[side] + r * d, d);
        }
    }
done:
    return code;
}

static enum status_code place(struct catch_up_vectors *vectors,
                              const struct catch_up_request *request, struct status *status)
{
    enum status_code code;
    const struct artifact *artifact = NULL;
    struct features features = {0};

    TRY(context_input(request->context, "features", &artifact, status));
    if (artifact != NULL) {
        TRY(features_load(&features, artifact, status));
    }
    for (int s = 0; s < N_SIDES; s++) {
        TRY(place_side(vectors, request, (enum tower_side)s, artifact == NULL ? NULL : &features,
                       status));
    }
done:
    features_release(&features);
    return code;
}

/* Who is trained: users with new rows, and those whom the towers have no row of. */
static enum status_code list_active(struct catch_up_vectors *vectors,
                                    const struct catch_up_request *request, struct status *status)
{
    enum status_code code;
    const struct dataset *all = all_of(request);
    const struct vocabulary *updated = request->updated;
    int32_t *code_of = NULL;

    TRY(MEM_NEW(&code_of, updated->n, status));
    TRY(MEM_NEW(&vectors->is_updated, request->now->users.n, status));
    TRY(MEM_NEW(&vectors->active, all->n_users, status));
    vocabulary_locate(updated, &request->now->users, code_of);
    for (size_t i = 0; i < updated->n; i++) {
        if (code_of[i] >= 0) {
            vectors->is_updated[code_of[i]] = 1;
        }
    }
    for (size_t r = 0; r < all->n_users; r++) {
        if (vectors->is_updated[all->users[r]] || vectors->side[SIDE_USERS].row_of[r] < 0) {
            vectors->active[vectors->n_active++] = (int32_t)r;
        }
    }
done:
    mem_free(code_of);
    return code;
}

static struct known_vectors known_ids(const struct catch_up_vectors *vectors)
{
    return (struct known_vectors){.users = vectors->vectors[SIDE_USERS],
                                  .items = vectors->vectors[SIDE_ITEMS],
                                  .d = vectors->dimension,
                                  .are_by_row = true};
}

/* Where sequences stand in the place of ids, what their weights do not know has what the small
 * night before made of it, or nothing yet. */
static struct known_vectors known_sequences(const struct catch_up_vectors *vectors,
                                            const struct catch_up_request *request)
{
    const struct catch_up_sequence *sequence = &vectors->sequence;
    const size_t s = sequence->dimension;
    for (size_t r = 0; r < all_of(request)->n_items; r++) {
        const int32_t row = vectors->side[SIDE_ITEMS].row_of[r];
        if (row >= 0 && known_is_missing(sequence->items + r * s, s)) {
            memcpy(sequence->items + r * s,
                   matrix_row(request->start->embeddings.items, (size_t)row), s * sizeof(float));
        }
    }
    return (struct known_vectors){.users = sequence->states, .items = sequence->items, .d = s};
}

static enum status_code start_bias(struct catch_up_vectors *vectors,
                                   const struct catch_up_request *request, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct embeddings *embeddings = &request->start->embeddings;
    const size_t n = all_of(request)->n_items;

    if (embeddings->item_bias != NULL) {
        const float least =
            embeddings_cold_bias(embeddings->item_bias, embeddings->items.rows, 1.0);
        TRY(MEM_NEW(&vectors->bias, n, status));
        for (size_t i = 0; i < n; i++) {
            const int32_t row = vectors->side[SIDE_ITEMS].row_of[i];
            vectors->bias[i] = row >= 0 ? embeddings->item_bias[row] : least;
        }
    }
done:
    return code;
}

enum status_code catch_up_vectors_init(struct catch_up_vectors *vectors,
                                       const struct catch_up_request *request,
                                       struct status *status)
{
    enum status_code code;

    TRY(catch_up_sequence_load(&vectors->sequence, request->context, status));
    vectors->dimension = request->start->embeddings.users.columns - vectors->sequence.dimension;
    TRY(place(vectors, request, status));
    TRY(list_active(vectors, request, status));
    TRY(catch_up_sequence_read(&vectors->sequence, request, vectors->active, vectors->n_active,
                               vectors->is_updated, status));
    const struct known_vectors known =
        vectors->dimension > 0 ? known_ids(vectors) : known_sequences(vectors, request);
    TRY(newcomers_start(&known, &all_of(request)->train.matrix, vectors->active, vectors->n_active,
                        status));
    TRY(start_bias(vectors, request, status));
done:
    return code;
}

void catch_up_vectors_take(struct catch_up_vectors *vectors, const struct trainer_result *trained)
{
    const size_t d = vectors->dimension;

    for (size_t a = 0; a < vectors->n_active; a++) {
        memcpy(vectors->vectors[SIDE_USERS] + (size_t)vectors->active[a] * d,
               trained->vectors[SIDE_USERS] + a * d, d * sizeof(float));
    }
    memcpy(vectors->vectors[SIDE_ITEMS], trained->vectors[SIDE_ITEMS],
           trained->n_items * d * sizeof(float));
    if (vectors->bias != NULL && trained->bias != NULL) {
        memcpy(vectors->bias, trained->bias, trained->n_items * sizeof(float));
    }
}

/* ---- cold vectors ---- */

struct cold_vectors {
    size_t n;
    int32_t *codes;
    float *vectors;
};

static void cold_vectors_release(struct cold_vectors *cold)
{
    mem_free(cold->codes);
    mem_free(cold->vectors);
}

static enum status_code cold_vectors_init(struct cold_vectors *cold, size_t n, size_t d,
                                          struct status *status)
{
    enum status_code code;
    TRY(MEM_NEW(&cold->codes, n, status));
    TRY(MEM_NEW(&cold->vectors, n * d, status));
done:
    return code;
}

static void add_cold(struct cold_vectors *cold, int32_t code, const float *vector, size_t d)
{
    memcpy(cold->vectors + cold->n * d, vector, d * sizeof *vector);
    cold->codes[cold->n++] = code;
}

/* Items that have no row keep the vector of their side data. */
static enum status_code collect_items(const struct catch_up_vectors *vectors,
                                      const struct catch_up_request *request,
                                      struct cold_vectors *out, struct status *status)
{
    enum status_code code;
    const struct start_side *side = &vectors->side[SIDE_ITEMS];
    const struct dataset *all = all_of(request);
    size_t known = 0;

    const size_t width = vectors->dimension + vectors->sequence.dimension;
    TRY(cold_vectors_init(out, side->n_cold, width, status));
    for (size_t c = 0; c < side->n_cold; c++) {
        while (known < all->n_items && all->items[known] < side->cold_codes[c]) {
            known++;
        }
        if (known == all->n_items || all->items[known] != side->cold_codes[c]) {
            add_cold(out, side->cold_codes[c],
                     matrix_row(request->start->embeddings.cold_items, (size_t)side->cold_rows[c]),
                     width);
        }
    }
done:
    return code;
}

/* The vector of a user who has no row: that of the towers unless it has new rows or it is not
 * there, then one of the items; NULL: neither. `scratch` (twice the width). */
static const float *cold_user(const struct catch_up_vectors *vectors,
                              const struct catch_up_request *request, int32_t code,
                              int64_t history_row, const float *before, float *scratch)
{
    const struct sparse *history = &all_of(request)->cold.history.matrix;
    const bool is_updated = (size_t)code < request->now->users.n && vectors->is_updated[code];
    size_t n = 0;

    if (history_row < 0 || (before != NULL && !is_updated)) {
        return before;
    }
    const struct catch_up_sequence *sequence = &vectors->sequence;
    const size_t d = vectors->dimension, s = sequence->dimension;
    const float *state = s == 0 ? NULL : sequence->cold_states + (size_t)history_row * s;
    const struct known_vectors known = known_ids(vectors);
    const int32_t *items = sparse_row(history, (size_t)history_row, &n);
    if (d == 0) {
        return known_is_missing(state, s) ? before : state;
    }
    if (!known_mean_of_items(&known, items, n, scratch)) {
        return before;
    }
    if (s == 0) {
        return scratch;
    }
    sequence_join_row(scratch, d, state, s, sequence->kept.weight, scratch + d + s);
    return scratch + d + s;
}

/* Users without a row: those with a history, and those whom the towers knew by their side data. */
static enum status_code collect_users(const struct catch_up_vectors *vectors,
                                      const struct catch_up_request *request,
                                      struct cold_vectors *out, struct status *status)
{
    enum status_code code;
    const struct start_side *side = &vectors->side[SIDE_USERS];
    const struct dataset *all = all_of(request);
    const struct cold_part *cold = &all->cold;
    size_t d = vectors->dimension + vectors->sequence.dimension, known = 0, next = 0, h = 0, c = 0;
    float *scratch = NULL;

    TRY(MEM_NEW(&scratch, 2 * d, status));
    TRY(cold_vectors_init(out, side->n_cold + cold->n_users, d, status));
    while (h < cold->n_users || c < side->n_cold) {
        const int32_t with_history = h < cold->n_users ? cold->users[h] : INT32_MAX;
        const int32_t before = c < side->n_cold ? side->cold_codes[c] : INT32_MAX;
        const int32_t user = with_history < before ? with_history : before;
        while (known < all->n_users && all->users[known] < user) {
            known++;
        }
        if (known == all->n_users || all->users[known] != user) {
            const float *vector = cold_user(
                vectors, request, user, with_history == user ? (int64_t)h : -1,
                cold_at(side, request->start->embeddings.cold_users, user, &next), scratch);
            if (vector != NULL) {
                add_cold(out, user, vector, d);
            }
        }
        h += with_history == user ? 1 : 0;
        c += before == user ? 1 : 0;
    }
done:
    mem_free(scratch);
    return code;
}

/* ---- the parts side by side ---- */

/* out (d + s) = row `row` of a side's ids, if there are any, and the sequence's vector. */
static void join_row(const struct catch_up_vectors *vectors, enum tower_side side, size_t row,
                     const float *sequence, float *out)
{
    const size_t d = vectors->dimension;
    sequence_join_row(d == 0 ? NULL : vectors->vectors[side] + row * d, d, sequence,
                      vectors->sequence.dimension, vectors->sequence.kept.weight, out);
}

/* users (rows, d + s): whoever has new rows joined to the newest state, the others as they were;
 * items (rows, d + s). */
static void join_parts(const struct catch_up_vectors *vectors,
                       const struct catch_up_request *request, float *users, float *items)
{
    const struct catch_up_sequence *sequence = &vectors->sequence;
    const struct dataset *all = all_of(request);
    const size_t s = sequence->dimension, width = vectors->dimension + s;
    size_t active = 0;
    for (size_t r = 0; r < all->n_users; r++) {
        if (active < vectors->n_active && (size_t)vectors->active[active] == r) {
            join_row(vectors, SIDE_USERS, r, sequence->states + active * s, users + r * width);
            active++;
        } else {
            const size_t row = (size_t)vectors->side[SIDE_USERS].row_of[r];
            memcpy(users + r * width, matrix_row(request->start->embeddings.users, row),
                   width * sizeof *users);
        }
    }
    for (size_t r = 0; r < all->n_items; r++) {
        join_row(vectors, SIDE_ITEMS, r, sequence->items + r * s, items + r * width);
    }
}

enum status_code catch_up_vectors_save(const struct catch_up_vectors *vectors,
                                       const struct catch_up_request *request, double epochs,
                                       struct artifact *out, struct status *status)
{
    enum status_code code;
    const struct dataset *all = all_of(request);
    struct cold_vectors users = {0}, items = {0};
    const size_t s = vectors->sequence.dimension, d = vectors->dimension + s;
    float *joined[N_SIDES] = {0};

    if (s > 0) {
        const char *beside = context_settings(request->context)->work.database;
        TRY(SPILL_NEW(beside, &joined[SIDE_USERS], all->n_users * d, status));
        TRY(SPILL_NEW(beside, &joined[SIDE_ITEMS], all->n_items * d, status));
        join_parts(vectors, request, joined[SIDE_USERS], joined[SIDE_ITEMS]);
    }
    TRY(collect_users(vectors, request, &users, status));
    TRY(collect_items(vectors, request, &items, status));
    const struct embeddings embeddings = {
        .users = const_matrix_of(s > 0 ? joined[SIDE_USERS] : vectors->vectors[SIDE_USERS],
                                 all->n_users, d),
        .items = const_matrix_of(s > 0 ? joined[SIDE_ITEMS] : vectors->vectors[SIDE_ITEMS],
                                 all->n_items, d),
        .basis = BASIS_ALL,
        .temperature = request->start->embeddings.temperature,
        .alpha = request->start->embeddings.alpha,
        .epochs = request->start->embeddings.epochs + epochs,
        .sequence_dimension = (int64_t)s,
        .cold_user_codes = users.codes,
        .cold_item_codes = items.codes,
        .cold_users = const_matrix_of(users.vectors, users.n, d),
        .cold_items = const_matrix_of(items.vectors, items.n, d),
        .item_bias = vectors->bias};
    TRY(embeddings_save(&embeddings, out, status));
done:
    mem_free(joined[SIDE_USERS]);
    mem_free(joined[SIDE_ITEMS]);
    cold_vectors_release(&users);
    cold_vectors_release(&items);
    return code;
}

void catch_up_vectors_release(struct catch_up_vectors *vectors)
{
    for (size_t s = 0; s < N_SIDES; s++) {
        start_side_release(&vectors->side[s]);
        mem_free(vectors->vectors[s]);
    }
    catch_up_sequence_release(&vectors->sequence);
    mem_free(vectors->bias);
    mem_free(vectors->is_updated);
    mem_free(vectors->active);
    *vectors = (struct catch_up_vectors){0};
}
