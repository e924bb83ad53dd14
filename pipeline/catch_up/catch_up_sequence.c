/* Newest states by the weights of another night. */
#include "catch_up/catch_up_sequence.h"

#include "base/mem.h"
#include "run/context.h"
#include "run/context_data.h"
#include "sequence/sequence_pass.h"

enum status_code catch_up_sequence_load(struct catch_up_sequence *sequence, struct context *context,
                                        struct status *status)
{
    enum status_code code;
    const struct artifact *artifact = NULL;
    TRY(context_input(context, "sequence", &artifact, status));
    if (artifact != NULL) {
        TRY(sequence_kept_load(&sequence->kept, artifact, status));
        sequence->dimension = sequence->kept.model.dimension;
    }
done:
    return code;
}

/* map (n) = row in the base's basis of each of tonight's rows, -1: none. */
static enum status_code map_rows(const struct vocabulary *ids_before, const int32_t *before,
                                 size_t n_before, const struct vocabulary *ids_now,
                                 const int32_t *now, size_t n, int32_t **map, struct status *status)
{
    enum status_code code;
    int32_t *code_of = NULL, *row_of = NULL, *made = NULL;
    TRY(MEM_NEW(&code_of, ids_now->n, status));
    TRY(MEM_NEW(&row_of, ids_before->n, status));
    TRY(MEM_NEW(&made, n, status));
    vocabulary_locate(ids_now, ids_before, code_of);
    dataset_invert(before, n_before, ids_before->n, row_of);
    for (size_t i = 0; i < n; i++) {
        const int32_t known = code_of[now[i]];
        made[i] = known < 0 ? -1 : row_of[known];
    }
    *map = made;
    made = NULL;
done:
    mem_free(code_of);
    mem_free(row_of);
    mem_free(made);
    return code;
}

/* out (n, dimension): the newest states of rows[0..n) of a history. */
static enum status_code read_states(struct catch_up_sequence *sequence,
                                    const struct catch_up_request *request,
                                    const struct history *history, const struct sequence_view *view,
                                    float *out, struct status *status)
{
    enum status_code code;
    const struct watch watch = context_stop_watch(request->context);
    struct sequences read = {0};
    TRY(sequences_init(&read, history, view, sequence->kept.length, status));
    TRY(sequence_encode(&sequence->kept.model, &read, NULL, view->n_rows, out, NULL, &watch,
                        context_pool(request->context), status));
    for (size_t u = 0; u < read.n_users; u++) {
        const size_t steps = sequence_steps(&read, u);
        const bool goes_on = read.goes_on[u] >= 0;
        sequence->read.n_on += goes_on;
        sequence->read.n_on_steps += goes_on ? steps : 0;
        sequence->read.n_anew += !goes_on && steps > 0;
        sequence->read.n_anew_steps += goes_on ? 0 : steps;
    }
done:
    sequences_release(&read);
    return code;
}

/* Of the users with rows: whose reading the memory has. */
static enum status_code read_active(struct catch_up_sequence *sequence,
                                    const struct catch_up_request *request, const int32_t *active,
                                    size_t n_active, const int32_t *columns, struct status *status)
{
    enum status_code code;
    const struct interactions *base = request->base, *now = request->now;
    const struct dataset *before = &base->basis[sequence->kept.basis];
    const struct dataset *all = &now->basis[BASIS_ALL];
    const struct sequence_memory *memory = &sequence->kept.memory;
    int32_t *row_of = NULL, *remembered = NULL;
    TRY(MEM_NEW(&remembered, n_active, status));
    TRY(map_rows(&base->users, before->users, before->n_users, &now->users, all->users,
                 all->n_users, &row_of, status));
    for (size_t a = 0; a < n_active; a++) {
        const int32_t row = row_of[active[a]];
        remembered[a] = row >= 0 && (size_t)row < memory->n_users ? row : -1;
    }
    const struct sequence_view view = {.rows = active,
                                       .n_rows = n_active,
                                       .columns = columns,
                                       .memory = memory,
                                       .remembered = remembered};
    TRY(read_states(sequence, request, &all->train, &view, sequence->states, status));
done:
    mem_free(row_of);
    mem_free(remembered);
    return code;
}

enum status_code catch_up_sequence_read(struct catch_up_sequence *sequence,
                                        const struct catch_up_request *request,
                                        const int32_t *active, size_t n_active,
                                        const uint8_t *is_updated, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct dataset *all = &request->now->basis[BASIS_ALL];
    const struct cold_part *cold = &all->cold;
    const size_t s = sequence->dimension;
    float *model_items = NULL;
    int32_t *map = NULL, *cold_rows = NULL;
    if (s == 0) {
        goto done;
    }
    const struct interactions *base = request->base, *now = request->now;
    const struct dataset *before = &base->basis[sequence->kept.basis];
    TRY(map_rows(&base->items, before->items, before->n_items, &now->items, all->items,
                 all->n_items, &map, status));
    for (size_t i = 0; i < all->n_items; i++) {
        map[i] = (size_t)(map[i] + 1) <= sequence->kept.model.items.n ? map[i] : -1;
    }
    TRY(MEM_NEW(&model_items, sequence->kept.model.items.n * s, status));
    TRY(MEM_NEW(&sequence->items, all->n_items * s, status));
    TRY(MEM_NEW(&sequence->states, n_active * s, status));
    TRY(MEM_NEW(&sequence->cold_states, cold->n_users * s, status));
    TRY(MEM_NEW(&cold_rows, cold->n_users, status));
    sequence_model_items(&sequence->kept.model, model_items, context_pool(request->context));
    for (size_t i = 0; i < all->n_items; i++) {
        if (map[i] >= 0) {
            memcpy(sequence->items + i * s, model_items + (size_t)map[i] * s, s * sizeof(float));
        }
    }
    TRY(read_active(sequence, request, active, n_active, map, status));
    for (size_t u = 0; u < cold->n_users; u++) {
        cold_rows[u] = is_updated[cold->users[u]] ? (int32_t)u : -1;
    }
    if (cold->n_users > 0) {
        const struct sequence_view view = {
            .rows = cold_rows, .n_rows = cold->n_users, .columns = map};
        TRY(read_states(sequence, request, &cold->history, &view, sequence->cold_states, status));
    }
done:
    mem_free(model_items);
    mem_free(map);
    mem_free(cold_rows);
    return code;
}

void catch_up_sequence_release(struct catch_up_sequence *sequence)
{
    sequence_kept_release(&sequence->kept);
    mem_free(sequence->items);
    mem_free(sequence->states);
    mem_free(sequence->cold_states);
    *sequence = (struct catch_up_sequence){0};
}
