/* Sizes and estimates. How a stage's need grows with the sizes is written in the stage's file. */
#include "run/estimate.h"

#include "base/mem.h"
#include "base/num.h"
#include "dataset/dataset.h"

/* The program itself, OpenBLAS's buffers, SQLite's page caches. */
static const double program_bytes = 32 << 20;

static const char *const count_names[] = {
    "rows",          "users",    "items",       "interactions", "seen",     "user_id_bytes",
    "item_id_bytes", "products", "valid_users", "test_users",   "has_times"};
enum { N_COUNTS = sizeof count_names / sizeof *count_names };
enum { N_ALWAYS = 4 }; /* the first ones: what follows was not always counted */

static double *count_at(struct stage_sizes *sizes, size_t index)
{
    double *counts[N_COUNTS] = {&sizes->n_rows,         &sizes->n_users,    &sizes->n_items,
                                &sizes->n_interactions, &sizes->n_seen,     &sizes->user_id_bytes,
                                &sizes->item_id_bytes,  &sizes->n_products, &sizes->n_valid_users,
                                &sizes->n_test_users,   &sizes->has_times};
    return counts[index];
}

void estimate_init(const struct plan *plan, size_t n_threads, struct stage_sizes *sizes)
{
    *sizes = (struct stage_sizes){.n_threads = (double)n_threads,
                                  .n_valid_users = (double)NAN,
                                  .n_test_users = (double)NAN,
                                  .has_key = plan->settings.source.key != NULL};
    for (size_t i = 0; i < plan->n_stages; i++) {
        if (plan->stages[i].stage->sizes != NULL) {
            plan->stages[i].stage->sizes(plan->stages[i].options, sizes);
        }
    }
}

enum status_code estimate_load(struct db *work, struct stage_sizes *sizes, bool *known,
                               struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    struct stage_sizes loaded = *sizes;
    struct buf type = {0};
    size_t n = 0;
    *known = false;
    TRY(db_object_type(work, "data_size", &type, status));
    if (strcmp(buf_text(&type), "table") != 0) {
        goto done;
    }
    TRY(db_prepare(work, "SELECT value FROM data_size WHERE name = ?1", &query, status));
    for (size_t i = 0; i < N_COUNTS; i++) {
        bool has_row;
        TRY(db_bind_string(query, 1, count_names[i], status));
        TRY(db_step(query, &has_row, status));
        if (has_row) {
            *count_at(&loaded, i) = db_column_double(query, 0);
            n++;
        }
        TRY(db_reset(query, status));
    }
    *known = n >= N_ALWAYS;
    if (*known) {
        *sizes = loaded;
    }
done:
    buf_release(&type);
    db_finalize(query);
    return code;
}

static int64_t count_rows_with_entries(const struct sparse *m)
{
    int64_t n = 0;
    for (size_t i = 0; i < m->n_rows; i++) {
        n += sparse_row_length(m, i) > 0;
    }
    return n;
}

static int64_t sum_of_squares(const struct sparse *m)
{
    int64_t sum = 0;
    for (size_t i = 0; i < m->n_rows; i++) {
        const int64_t length = (int64_t)sparse_row_length(m, i);
        sum += length * length;
    }
    return sum;
}

enum status_code estimate_measure(const struct artifact *interactions, struct ranks *ranks,
                                  struct stage_sizes *sizes, struct status *status)
{
    struct interactions view = {0};
    const struct dataset *fit = &view.basis[BASIS_FIT];
    int64_t sums[6];
    enum status_code code;
    TRY(interactions_load(&view, interactions, status));
    sums[0] = (int64_t)view.users.n;
    sums[1] = (int64_t)sparse_entries(&view.log.matrix);
    sums[2] = (int64_t)sparse_entries(&view.seen.pairs);
    sums[3] = sum_of_squares(&view.log.matrix);
    sums[4] = count_rows_with_entries(&fit->valid.matrix);
    sums[5] = count_rows_with_entries(&fit->test.matrix);
    TRY(ranks_sum_int64(ranks, sums, 6, status));
    sizes->n_users = (double)sums[0];
    sizes->n_items = (double)view.items.n;
    sizes->n_interactions = (double)sums[1];
    sizes->n_seen = (double)sums[2];
    sizes->n_products = (double)sums[3];
    sizes->n_valid_users = (double)sums[4];
    sizes->n_test_users = (double)sums[5];
    sizes->has_times = view.has_times;
    sizes->n_rows = sizes->n_interactions;
    sizes->user_id_bytes = vocabulary_mean_bytes(&view.users);
    sizes->item_id_bytes = vocabulary_mean_bytes(&view.items);
    if (artifact_find(interactions, "facts.rows") != NULL) {
        TRY(artifact_get_number(interactions, "facts.rows", &sizes->n_rows, status));
    }
done:
    interactions_release(&view);
    return code;
}

void estimate_take_part(struct stage_sizes *sizes, size_t n_ranks)
{
    const double n = (double)n_ranks;
    sizes->n_ranks = n;
    sizes->n_rows /= n;
    sizes->n_users /= n;
    sizes->n_interactions /= n;
    sizes->n_seen /= n;
    sizes->n_products /= n;
    sizes->n_valid_users /= n;
    sizes->n_test_users /= n;
}

enum status_code estimate_save(struct db *work, const struct stage_sizes *sizes,
                               struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    struct stage_sizes copy = *sizes;
    TRY(db_begin_write(work, status));
    TRY(db_prepare(work, "INSERT OR REPLACE INTO data_size (name, value) VALUES (?1, ?2)", &query,
                   status));
    for (size_t i = 0; i < N_COUNTS; i++) {
        TRY(db_bind_string(query, 1, count_names[i], status));
        TRY(db_bind_double(query, 2, *count_at(&copy, i), status));
        TRY(db_run(query, status));
    }
    TRY(db_commit(work, status));
done:
    db_finalize(query);
    db_rollback(work);
    return code;
}

struct stage_estimate estimate_stage(const struct plan_stage *stage,
                                     const struct stage_sizes *sizes)
{
    struct stage_estimate estimate = {0};
    if (stage->stage->estimate != NULL) {
        stage->stage->estimate(stage->options, sizes, &estimate);
    }
    return estimate;
}

/* Whether `stage` or one behind it reads an output of the stage at `producer`. */
static bool is_read(const struct plan *plan, size_t producer, size_t stage)
{
    for (size_t i = stage; i < plan->n_stages; i++) {
        const struct stage_artifact *inputs = plan->stages[i].stage->inputs;
        for (size_t j = 0; inputs != NULL && inputs[j].name != NULL; j++) {
            if (plan_producer(plan, i, inputs[j].name) == producer) {
                return true;
            }
        }
    }
    return false;
}

double estimate_memory(const struct plan *plan, const struct plan_stage *stage,
                       const struct stage_sizes *sizes)
{
    double need = program_bytes + estimate_stage(stage, sizes).memory_bytes;
    for (size_t p = 0; p < stage->position; p++) {
        const double bytes = estimate_stage(&plan->stages[p], sizes).result_bytes;
        if (bytes > 0 && is_read(plan, p, stage->position)) {
            need += bytes < (double)LARGE_ARTIFACT_BYTES ? bytes : bytes / 3;
        }
    }
    return need;
}

enum status_code estimate_check(const struct plan *plan, const struct plan_stage *stage,
                                const struct stage_sizes *sizes, struct status *status)
{
    double limit = (double)plan->settings.memory_limit;
    double need = estimate_memory(plan, stage, sizes);
    if (limit <= 0 || need <= limit) {
        return STATUS_OK;
    }
    char need_text[NUM_TEXT_MAX], limit_text[NUM_TEXT_MAX];
    num_format_bytes(need, need_text);
    num_format_bytes(limit, limit_text);
    return status_set_at(status, STATUS_NO_MEMORY, plan->file, stage->line, stage->column,
                         "stage %s needs about %s of memory, memory_limit is %s; raise the limit "
                         "or make the stage smaller (`nightjar plan` shows every stage's need)",
                         stage->label, need_text, limit_text);
}

void estimate_doubt(const struct plan *plan, const struct plan_stage *stage,
                    const struct stage_sizes *sizes, struct buf *out)
{
    const double need = estimate_memory(plan, stage, sizes), has = mem_of_machine();
    char need_text[NUM_TEXT_MAX], has_text[NUM_TEXT_MAX];
    if (has > 0 && need > has) {
        num_format_bytes(need, need_text);
        num_format_bytes(has, has_text);
        buf_addf(out,
                 "stage %s needs about %s of memory, this machine has %s; make the stage smaller, "
                 "or set memory_limit, by which a run ends before it begins",
                 stage->label, need_text, has_text);
    }
}
