/* Towers at hand, and their rows in the codes of tonight. */
#include "catch_up/catch_up_start.h"

#include "base/mem.h"
#include "dataset/vocabulary_merge.h"
#include "run/context_data.h"

static const char start_slot[] = "start";

static bool is_signed(const struct artifact *embeddings, const char *key)
{
    const struct array *start = artifact_find(embeddings, start_slot);
    return start != NULL && start->type == ARRAY_U8 && start->rows == HASH_TEXT_MAX &&
           memcmp(start->data, key, HASH_TEXT_MAX) == 0;
}

enum status_code catch_up_start_sign(struct context *context, struct artifact *embeddings,
                                     struct status *status)
{
    char key[HASH_TEXT_MAX] = "";
    snprintf(key, sizeof key, "%s", context_key(context));
    return artifact_copy(embeddings, start_slot, ARRAY_U8, sizeof key, 1, key, status);
}

/* The towers that the last night left, unless they are of another start. */
static enum status_code open_previous(struct catch_up_start *start, struct context *context,
                                      const struct interactions *base, struct status *status)
{
    enum status_code code;
    char key[HASH_TEXT_MAX] = "";
    bool found = false;

    snprintf(key, sizeof key, "%s", context_key(context));
    TRY(context_last_output(context, "towers", &start->previous, &found, status));
    if (!found || !is_signed(&start->previous, key)) {
        goto done;
    }
    TRY(delta_load(&start->known, &start->previous, &found, status));
    if (found) {
        TRY(vocabulary_merge(&base->users, &start->known.users, &start->users, NULL, NULL, status));
        TRY(vocabulary_merge(&base->items, &start->known.items, &start->items, NULL, NULL, status));
        TRY(embeddings_load(&start->embeddings, &start->previous, status));
        start->user_codes = start->known.core_users;
        start->item_codes = start->known.core_items;
        start->is_previous = true;
    }
done:
    if (!start->is_previous) {
        artifact_release(&start->previous);
        start->previous = (struct artifact){0};
    }
    return code;
}

enum status_code catch_up_start_open(struct catch_up_start *start, struct context *context,
                                     const struct interactions *base, bool anew,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct artifact *artifact = NULL;

    if (!anew && !context_is_forced(context)) {
        TRY(open_previous(start, context, base, status));
    }
    if (start->is_previous) {
        TRY(embeddings_check_rows(&start->embeddings, start->known.n_core_users,
                                  start->known.n_core_items, status));
        goto done;
    }
    TRY(context_input(context, "towers", &artifact, status));
    TRY(embeddings_load(&start->embeddings, artifact, status));
    const struct dataset *dataset = &base->basis[start->embeddings.basis];
    start->users = vocabulary_view(&base->users);
    start->items = vocabulary_view(&base->items);
    start->user_codes = dataset->users;
    start->item_codes = dataset->items;
    TRY(embeddings_check_rows(&start->embeddings, dataset->n_users, dataset->n_items, status));
done:
    return code;
}

void catch_up_start_release(struct catch_up_start *start)
{
    vocabulary_release(&start->users);
    vocabulary_release(&start->items);
    delta_release(&start->known);
    artifact_release(&start->previous);
    *start = (struct catch_up_start){0};
}

/* ---- one side ---- */

struct cold_vector {
    int32_t code, row;
};

static int compare_cold(const void *left, const void *right)
{
    const struct cold_vector *a = left, *b = right;
    return (a->code > b->code) - (a->code < b->code);
}

/* An extra id of the side data may have become one of the log. */
static int32_t code_of_extra(const struct vocabulary *extra, size_t k, const struct vocabulary *now)
{
    int32_t code = -1;
    if (extra != NULL) {
        const struct row_id id = vocabulary_id(extra, k);
        code = vocabulary_find(now, &id);
    }
    return code >= 0 ? code : (int32_t)(now->n + k);
}

static enum status_code place_cold(struct start_side *side, const int32_t *code_of, size_t n_before,
                                   const int32_t *cold_codes, size_t n_cold,
                                   const struct vocabulary *now, const struct vocabulary *extra,
                                   struct status *status)
{
    enum status_code code;
    struct cold_vector *list = NULL;

    TRY(MEM_NEW(&list, n_cold, status));
    TRY(MEM_NEW(&side->cold_codes, n_cold, status));
    TRY(MEM_NEW(&side->cold_rows, n_cold, status));
    for (size_t i = 0; i < n_cold; i++) {
        const size_t before = (size_t)cold_codes[i];
        list[i].code =
            before < n_before ? code_of[before] : code_of_extra(extra, before - n_before, now);
        list[i].row = (int32_t)i;
    }
    qsort(list, n_cold, sizeof *list, compare_cold);
    for (size_t i = 0; i < n_cold; i++) {
        side->cold_codes[i] = list[i].code;
        side->cold_rows[i] = list[i].row;
    }
    side->n_cold = n_cold;
done:
    mem_free(list);
    return code;
}

enum status_code start_side_init(struct start_side *side, const struct coded_rows *before,
                                 const struct coded_rows *now, const int32_t *cold_codes,
                                 size_t n_cold, const struct vocabulary *extra,
                                 struct status *status)
{
    enum status_code code;
    int32_t *code_of = NULL, *row_now = NULL;

    TRY(MEM_NEW(&code_of, before->ids->n, status));
    TRY(MEM_NEW(&row_now, now->ids->n, status));
    TRY(MEM_NEW(&side->row_of, now->n, status));
    vocabulary_locate(before->ids, now->ids, code_of);
    dataset_invert(now->codes, now->n, now->ids->n, row_now);
    for (size_t r = 0; r < now->n; r++) {
        side->row_of[r] = -1;
    }
    for (size_t r = 0; r < before->n; r++) {
        const int32_t row = row_now[code_of[before->codes[r]]];
        if (row >= 0) {
            side->row_of[row] = (int32_t)r;
        }
    }
    TRY(place_cold(side, code_of, before->ids->n, cold_codes, n_cold, now->ids, extra, status));
done:
    mem_free(code_of);
    mem_free(row_now);
    return code;
}

void start_side_release(struct start_side *side)
{
    mem_free(side->row_of);
    mem_free(side->cold_codes);
    mem_free(side->cold_rows);
    *side = (struct start_side){0};
}
