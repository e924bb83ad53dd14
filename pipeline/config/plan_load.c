/* From a pipeline file to an immutable plan. */
#include "config/plan_reading.h"

#include "base/hash.h"
#include "base/mem.h"

/* The folder part of a path: "." when there is none, "/" for the root. */
static enum status_code copy_folder(struct arena *arena, const char *file, const char **out,
                                    struct status *status)
{
    const char *slash = strrchr(file, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - file);
    char *copy = NULL;
    enum status_code code = slash == NULL ? arena_copy_text(arena, ".", 1, &copy, status)
                            : length == 0 ? arena_copy_text(arena, "/", 1, &copy, status)
                                          : arena_copy_text(arena, file, length, &copy, status);
    *out = copy;
    return code;
}

static enum status_code add_overrides(struct plan *plan, const char *const *overrides, size_t n,
                                      struct status *status)
{
    struct buf text = {0};
    enum status_code code;
    buf_add(&text, &plan->text, sizeof plan->text);
    for (size_t i = 0; i < n; i++) {
        buf_add(&text, overrides[i], strlen(overrides[i]) + 1);
    }
    TRY(buf_check(&text, status));
    plan->text = hash_bytes64(buf_text(&text), text.length);
done:
    buf_release(&text);
    return code;
}

/* Whether an option below `source` holds what is another to each rank. */
static bool names_rank(const struct doc_node *source)
{
    bool found = false;
    for (const struct doc_node *node = source == NULL ? NULL : source->first; node != NULL;
         node = node->next) {
        found = found || strstr(node->text, "${RANK}") != NULL ||
                strstr(node->text, "${RANK:") != NULL || strstr(node->text, ":rank") != NULL;
    }
    return found;
}

enum status_code plan_load_rank(const char *file, const struct stage_registry *registry,
                                const char *const *overrides, size_t n_overrides,
                                struct plan_rank rank, const struct watch *watch, struct plan **out,
                                struct status *status)
{
    struct arena document = {0};
    struct plan *plan = NULL;
    struct plan_reading reading = {.registry = registry, .arena = &document};
    char *name = NULL, *doubts = NULL;
    enum status_code code = STATUS_OK;

    TRY(MEM_NEW(&plan, 1, status));
    TRY(arena_copy_text(&plan->arena, file, strlen(file), &name, status));
    plan->file = name;
    plan->rank = rank;
    TRY(copy_folder(&plan->arena, file, &plan->directory, status));
    reading.plan = plan;
    reading.reader = (struct option_reader){.directory = plan->directory,
                                            .rank = rank,
                                            .arena = &plan->arena,
                                            .mistakes = &reading.mistakes};
    TRY(yaml_doc_read(file, watch, &document, &reading.mistakes, &reading.root, &plan->text,
                      status));
    TRY(add_overrides(plan, overrides, n_overrides, status));
    if (reading.root != NULL) {
        TRY(plan_fill_in_recipe(&reading, status));
        TRY(plan_override(&reading, overrides, n_overrides, status));
        plan->source_by_rank = names_rank(doc_find(reading.root, "source", strlen("source")));
        TRY(plan_read_settings(&reading, status));
        TRY(plan_read_stages(&reading, status));
    }
    TRY(mistakes_report(&reading.mistakes, file, status));
    TRY(arena_copy_text(&plan->arena, buf_text(&reading.mistakes.doubts),
                        reading.mistakes.doubts.length, &doubts, status));
    plan->doubts = doubts;
    plan->settings.source.is_imported = plan_find(plan, "import") != NULL;
    *out = plan;
    plan = NULL;
done:
    plan_free(plan);
    mistakes_release(&reading.mistakes);
    arena_release(&document);
    return code;
}

enum status_code plan_load(const char *file, const struct stage_registry *registry,
                           const char *const *overrides, size_t n_overrides, struct plan **out,
                           struct status *status)
{
    return plan_load_rank(file, registry, overrides, n_overrides, (struct plan_rank){.n = 1}, NULL,
                          out, status);
}
