/* Making and releasing a context, and what happens to it between stages. */
#include "run/context_state.h"

#include "base/clock.h"
#include "base/mem.h"

/* A hash of every resolved option, for the run's record. */
static enum status_code hash_config(const struct plan *plan, char out[HASH_TEXT_MAX],
                                    struct status *status)
{
    enum status_code code;
    struct hash_state *hash = NULL;
    struct buf text = {0};
    option_print(plan_options, &plan->settings, &text);
    for (size_t i = 0; i < plan->n_stages; i++) {
        buf_addf(&text, "[%s]\n", plan->stages[i].label);
        option_print(plan->stages[i].stage->options, plan->stages[i].options, &text);
    }
    TRY(buf_check(&text, status));
    TRY(hash_new(&hash, status));
    hash_add_text(hash, buf_text(&text));
    hash_text(hash, out);
done:
    hash_free(hash);
    buf_release(&text);
    return code;
}

enum status_code context_init(struct context *context, const struct run_request *request,
                              struct status *status)
{
    enum status_code code;
    const struct plan *plan = request->plan;
    *context = (struct context){.request = request,
                                .plan = plan,
                                .started = clock_unix(),
                                .started_monotonic = clock_monotonic()};
    context->progress = (struct progress){.log = request->log, .enabled = request->show_progress};
    TRY(MEM_NEW(&context->first_slot, plan->n_stages + 1, status));
    for (size_t i = 0; i < plan->n_stages; i++) {
        const struct stage_artifact *outputs = plan->stages[i].stage->outputs;
        size_t n = 0;
        while (outputs != NULL && outputs[n].name != NULL) {
            n++;
        }
        context->first_slot[i + 1] = context->first_slot[i] + n;
    }
    TRY(MEM_NEW(&context->slots, context->first_slot[plan->n_stages], status));
    TRY(hash_config(plan, context->config_hash, status));
done:
    return code;
}

void context_release(struct context *context)
{
    db_close(context->source);
    db_close(context->output);
    db_close(context->work);
    pool_free(context->pool);
    for (size_t i = 0; context->slots != NULL && i < context->first_slot[context->plan->n_stages];
         i++) {
        artifact_release(&context->slots[i].artifact);
    }
    mem_free(context->slots);
    mem_free(context->first_slot);
    mem_free(context->metrics);
    arena_release(&context->texts);
    buf_release(&context->overruled);
    forgotten_release(&context->forgotten);
    *context = (struct context){0};
}

void context_begin_stage(struct context *context, const struct plan_stage *stage, const char *key)
{
    context->stage = stage;
    snprintf(context->key, sizeof context->key, "%s", key);
    context->rows = 0;
    context->is_cut_short = false;
    context->has_fingerprint = false;
    context->n_metrics_before = context->n_metrics;
}

void context_end_stage(struct context *context)
{
    progress_finish(&context->progress);
    db_close(context->source);
    context->source = NULL;
    db_close(context->output);
    context->output = NULL;
}

enum status_code context_fingerprint(struct context *context, const struct plan_stage *stage,
                                     char out[HASH_TEXT_MAX], struct status *status)
{
    enum status_code code = STATUS_OK;
    out[0] = '\0';
    if (stage->stage->fingerprint != NULL) {
        context->in_fingerprint = true;
        code = stage->stage->fingerprint(context, stage->options, out, status);
        context->in_fingerprint = false;
    }
    return code;
}
