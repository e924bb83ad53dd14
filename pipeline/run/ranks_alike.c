/* What all ranks must have alike, gathered and compared with the first one's. */
#include "run/ranks_alike.h"

#include "config/option.h"
#include "math/blas.h"
#include "math/vec.h"
#include "run/context_databases.h"
#include "run/context_state.h"
#include "run/source_log.h"

enum { PROGRAM_MAX = 256 };

/* Of one rank, as it goes over the wire. */
struct facts {
    char host[RANKS_HOST_MAX], program[PROGRAM_MAX];
    uint64_t text;             /* of the configuration */
    uint64_t values;           /* of seed and stages, variables put in */
    char exact[HASH_TEXT_MAX]; /* of the source; "" unknown */
    int64_t newest;            /* what only grows in it; INT64_MIN unknown */
};

static enum status_code look_at_program(const struct context *context, struct facts *facts,
                                        struct status *status)
{
    const struct plan *plan = context->plan;
    struct buf values = {0};
    enum status_code code;
    ranks_host(facts->host);
    snprintf(facts->program, PROGRAM_MAX, "nightjar %s, %s, %s, %s", context->request->version,
             db_identity(), blas_identity(), vec_ops()->name);
    facts->text = plan->text;
    buf_add(&values, &plan->settings.seed, sizeof plan->settings.seed);
    for (size_t i = 0; i < plan->n_stages; i++) {
        option_print(plan->stages[i].stage->options, plan->stages[i].options, &values);
    }
    TRY(buf_check(&values, status));
    facts->values = hash_bytes64(buf_text(&values), values.length);
done:
    buf_release(&values);
    return code;
}

/* The greatest rowid of a table that has them; views, and tables WITHOUT ROWID, have none. */
static enum status_code look_at_rowids(struct context *context, struct facts *facts,
                                       struct status *status)
{
    enum status_code code;
    struct db *db = NULL;
    struct buf sql = {0};
    struct status no_rowid = {0};
    bool found;
    TRY(context_source(context, &db, status));
    buf_add_text(&sql, "SELECT max(rowid) FROM ");
    db_quote(&sql, context->plan->settings.source.table);
    TRY(buf_check(&sql, status));
    if (db_get_int64(db, buf_text(&sql), &facts->newest, &found, &no_rowid) != STATUS_OK ||
        !found) {
        facts->newest = INT64_MIN;
    }
done:
    buf_release(&sql);
    return code;
}

static enum status_code look_at_schema(struct context *context, struct facts *facts,
                                       struct status *status)
{
    enum status_code code;
    struct hash_state *hash = NULL;
    struct db *db = NULL;
    struct buf schema = {0};
    bool found;
    TRY(context_source(context, &db, status));
    TRY(db_get_text(db,
                    "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_schema"
                    " WHERE type = 'table' ORDER BY name)",
                    &schema, &found, status));
    TRY(buf_check(&schema, status));
    TRY(hash_new(&hash, status));
    hash_add_text(hash, buf_text(&schema));
    hash_text(hash, facts->exact);
done:
    hash_free(hash);
    buf_release(&schema);
    return code;
}

static enum status_code look_at_source(struct context *context, struct facts *facts,
                                       struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct plan_source *source = &context->plan->settings.source;
    bool has_from;
    facts->exact[0] = '\0';
    facts->newest = INT64_MIN;
    if (source->database == NULL || source->is_imported || context->plan->source_by_rank) {
        goto done;
    }
    if (source->key != NULL) {
        TRY(source_log_keys(context, INT64_MIN, &has_from, &facts->newest, status));
    } else if (source->fingerprint != NULL) {
        TRY(source_log_fingerprint(context, facts->exact, status));
    } else if (source->table != NULL) {
        TRY(look_at_rowids(context, facts, status));
    } else {
        TRY(look_at_schema(context, facts, status));
    }
done:
    context_end_stage(context); /* closes it */
    return code;
}

/* The first rank that has another program or configuration than rank 0 is refused. */
static enum status_code compare_programs(const struct context *context, const struct facts *all,
                                         size_t n, struct status *status)
{
    for (size_t r = 1; r < n; r++) {
        if (strcmp(all[r].program, all[0].program) != 0) {
            return status_set(status, STATUS_CONFIG,
                              "rank %zu on %s is %s, rank 0 on %s is %s: what each computes would "
                              "differ; start the same program on machines of one kind",
                              r, all[r].host, all[r].program, all[0].host, all[0].program);
        }
        if (all[r].text != all[0].text) {
            return status_set_at(status, STATUS_CONFIG, context->plan->file, 0, 0,
                                 "rank %zu on %s has another configuration than rank 0 on %s: "
                                 "give all of them the same file and the same --set; what is "
                                 "another to each may be named by ${RANK}",
                                 r, all[r].host, all[0].host);
        }
        if (all[r].values != all[0].values) {
            return status_set_at(status, STATUS_CONFIG, context->plan->file, 0, 0,
                                 "rank %zu on %s reads other values in it than rank 0 on %s: "
                                 "${RANK}, and a variable of the environment that is not the same "
                                 "to all, may stand in source, output and work, not in seed or a "
                                 "stage",
                                 r, all[r].host, all[0].host);
        }
    }
    return STATUS_OK;
}

/* The first rank whose source is not the others', or n. *newest (in: what all had reached at the
 * look before, INT64_MIN at the first; out: that of this one). */
static size_t find_other_source(const struct facts *all, size_t n, int64_t *newest)
{
    const bool is_first_look = *newest == INT64_MIN;
    const int64_t reached = is_first_look ? all[0].newest : *newest;
    size_t other = n;
    for (size_t r = 0; r < n; r++) {
        const bool differs = is_first_look ? all[r].newest != reached : all[r].newest < reached;
        other = other == n && (differs || strcmp(all[r].exact, all[0].exact) != 0) ? r : other;
        *newest = all[r].newest > *newest ? all[r].newest : *newest;
    }
    return other;
}

static enum status_code refuse_source(const struct context *context, const struct facts *all,
                                      size_t other, size_t n, struct status *status)
{
    size_t best = other == 0 ? 1 : 0;
    for (size_t r = 0; r < n; r++) {
        best = all[r].newest > all[best].newest ? r : best;
    }
    status_set_at(status, STATUS_CONFIG, context->plan->settings.source.database, 0, 0,
                  "rank %zu on %s sees another source than rank %zu on %s", other, all[other].host,
                  best, all[best].host);
    if (all[other].newest != all[best].newest) {
        status_add_line(status, "its log ends at %s %lld, the other at %lld",
                        context->plan->settings.source.key != NULL
                            ? context->plan->settings.source.key
                            : "rowid",
                        (long long)all[other].newest, (long long)all[best].newest);
    }
    status_add_line(status, "let all ranks see one file, or give each its part: source.database: "
                            "part-${RANK}.db, or :rank and :ranks in source.interactions");
    return STATUS_CONFIG;
}

enum status_code ranks_alike_check(struct context *context, struct status *status)
{
    enum { LOOKS = 3 };
    struct ranks *ranks = context->request->ranks;
    const size_t n = ranks_n(ranks);
    struct facts mine = {0};
    struct ranks_bytes gathered = {0};
    int64_t newest = INT64_MIN;
    size_t other = 0;
    enum status_code code = STATUS_OK;
    if (n == 1) {
        goto done;
    }
    code = look_at_program(context, &mine, status);
    TRY(ranks_settle(ranks, code, status));
    /* while all look, somebody may write there: who looks again, after all others have looked, sees
       at least what they saw */
    for (int look = 0; look < LOOKS && other < n; look++) {
        TRY(look_at_source(context, &mine, status));
        TRY(ranks_gather(ranks, &mine, sizeof mine, &gathered, status));
        TRY(compare_programs(context, (const void *)gathered.data, n, status));
        other = find_other_source((const void *)gathered.data, n, &newest);
    }
    if (other < n) {
        TRY(refuse_source(context, (const void *)gathered.data, other, n, status));
    }
done:
    ranks_bytes_release(&gathered);
    return code;
}
