/* Newest states by the weights of another night. */
#include "catch_up/catch_up_sequence.h"

#include "base/mem.h"
#include "catch_up/merged.h"
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

/* map (items of tonight's ALL) = row of the model, whose items are those of the base; -1: none. */
static enum status_code map_items(const struct catch_up_sequence *sequence,
                                  const struct catch_up_request *request, int32_t **map,
                                  struct status *status)
{
    enum status_code code;
    const size_t n = request->now->basis[BASIS_ALL].n_items, n_model = sequence->kept.model.items.n;
    int32_t *item_of = NULL, *made = NULL;
    TRY(merged_map_items(request->base, request->now, &item_of, status));
    TRY(MEM_NEW(&made, n, status));
    for (size_t i = 0; i < n; i++) {
        made[i] = -1;
    }
    for (size_t i = 0; i < request->base->basis[BASIS_ALL].n_items && i < n_model; i++) {
        if (item_of[i] >= 0) {
            made[item_of[i]] = (int32_t)i;
        }
    }
    *map = made;
done:
    mem_free(item_of);
    return code;
}

/* out (n, dimension): the newest states of rows[0..n) of a history. */
static enum status_code read_states(const struct catch_up_sequence *sequence,
                                    const struct catch_up_request *request,
                                    const struct history *history, const int32_t *rows, size_t n,
                                    const int32_t *map, float *out, struct status *status)
{
    enum status_code code;
    const struct sequence_view view = {.rows = rows, .n_rows = n, .columns = map};
    const struct watch watch = context_stop_watch(request->context);
    struct sequences read = {0};
    TRY(sequences_init(&read, history, &view, sequence->kept.length, status));
    TRY(sequence_encode(&sequence->kept.model, &read, NULL, n, out, &watch,
                        context_pool(request->context), status));
done:
    sequences_release(&read);
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
    TRY(map_items(sequence, request, &map, status));
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
    TRY(read_states(sequence, request, &all->train, active, n_active, map, sequence->states,
                    status));
    for (size_t u = 0; u < cold->n_users; u++) {
        cold_rows[u] = is_updated[cold->users[u]] ? (int32_t)u : -1;
    }
    if (cold->n_users > 0) {
        TRY(read_states(sequence, request, &cold->history, cold_rows, cold->n_users, map,
                        sequence->cold_states, status));
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
