/* Generations in the output database: tables NAME_g<N> built in short transactions, verified, then
 * made visible at once by replacing the views. What people query is written at the top of
 * generation.c. A reader sees the whole old generation or the whole new one.
 *
 *     before the work:
 *         TRY(publish_check_names(db, prefix, status));            nothing of ours is taken
 *         TRY(publish_latest(db, prefix, &latest, status));        the fence
 *     after it:
 *         const struct publish_target target = {.db = db, .prefix = "", .keep = 3,
 *                                               .expected_latest = &latest.generation};
 *         const struct publish_content content = {
 *             .users = {.n = 2, .integers = (int64_t[]){7, 8}},    code 0 is user 7
 *             .items = {.n = 2, .integers = (int64_t[]){40, 41}},
 *             .n_served = 1, .top = 2,
 *             .served = (int32_t[]){0},                            user 7 gets
 *             .rec_items = (int32_t[]){1, -1},                     item 41, and no more
 *             .rec_scores = (float[]){0.5F, 0},
 *             .rec_sources = (uint8_t[]){PUBLISH_MODEL, 0}};
 *         TRY(publish_generation(&target, &content, &generation, status));
 *     and when it was a mistake:
 *         TRY(publish_rollback(db, prefix, generation - 1, status));
 *
 * forgotten.h and erase.h take people out of all of it. */
#ifndef NIGHTJAR_PUBLISHING_GENERATION_H
#define NIGHTJAR_PUBLISHING_GENERATION_H

#include "base/buf.h"
#include "base/hash.h"
#include "publishing/publish_content.h"

/* Looks for foreign tables or views under our names, foreign triggers on our tables, and for our
 * own ones of a newer version: STATUS_CONFIG, naming them. Changes nothing. */
MUST_CHECK enum status_code publish_check_names(struct db *db, const char *prefix,
                                                struct status *status);
/* publish_check_names, then our fixed tables at this program's version (migrate_apply). */
MUST_CHECK enum status_code publish_migrate(struct db *db, const char *prefix,
                                            struct status *status);
/* Makes our fixed tables where they are missing, once the content is known to be sound: what cannot
 * be published leaves the database untouched. Then builds, verifies, switches, drops generations
 * beyond `keep` and the remains of unfinished ones. *generation gets the new number. On error the
 * previous generation stays as it was. */
MUST_CHECK enum status_code publish_generation(const struct publish_target *target,
                                               const struct publish_content *content,
                                               int64_t *generation, struct status *status);
/* Points the views at an older generation (or back at a newer one) whose tables are still there:
 * else STATUS_NO_INPUT. Nothing is deleted. One transaction. */
MUST_CHECK enum status_code publish_rollback(struct db *db, const char *prefix, int64_t generation,
                                             struct status *status);
/* The names of the views, in an order of their own; NULL behind the last. */
const char *publish_view_name(size_t index);
/* Adds to `sql` the query of a view as it is, or would be, over a generation; of one whose tables
 * are not kept: STATUS_NO_INPUT. */
MUST_CHECK enum status_code publish_select(struct db *db, const char *prefix, const char *view,
                                           int64_t generation, struct buf *sql,
                                           struct status *status);
/* Metrics of groups of users and items, and of single evenings, are seven tenths of what a night
 * measures: those of nights longer ago are dropped, or they would outgrow all else of a small shop.
 */
enum { NIGHTS_WITH_GROUPS = 60 };
/* Drops the generations that are not kept, the remains of unfinished ones, and metrics of groups
 * that are older than that. */
MUST_CHECK enum status_code publish_prune(const struct publish_target *target,
                                          struct status *status);
/* A query with a row for every generation that has tables: generation, published (UTC), decision
 * ("keep", "drop"), why. The caller's to finalize. */
MUST_CHECK enum status_code publish_decisions(struct db *db, const char *prefix, int64_t keep,
                                              struct db_query **query, struct status *status);
/* What the history says of a generation. */
struct published_info {
    int64_t generation; /* 0: nothing is published, and our tables may not exist */
    int64_t dimension;
    int64_t run_started, published; /* the run that made it, its end; Unix seconds */
    char checksum[HASH_TEXT_MAX];   /* of its rows */
};
/* The generation that the views show. */
MUST_CHECK enum status_code publish_current(struct db *db, const char *prefix,
                                            struct published_info *info, struct status *status);
/* What a search chose for the generation that the views show, as publish_content has it; adds
 * nothing where there is no generation, or one of an older nightjar. */
MUST_CHECK enum status_code publish_current_chosen(struct db *db, const char *prefix,
                                                   struct buf *chosen, struct status *status);
/* How many components of its vectors come from reading sequences; -1: it is not said. */
MUST_CHECK enum status_code publish_current_sequence(struct db *db, const char *prefix,
                                                     int64_t *dimension, struct status *status);
/* The one that was published last, though a rollback may show an older one. */
MUST_CHECK enum status_code publish_latest(struct db *db, const char *prefix,
                                           struct published_info *info, struct status *status);
/* The one value of a query in which "$nightjar_..." stands for a table of ours and ?1 for
 * `argument`. *found false, and `out` untouched: it has no row or NULL. */
MUST_CHECK enum status_code publish_get_int64(struct db *db, const char *prefix, const char *text,
                                              int64_t argument, int64_t *out, bool *found,
                                              struct status *status);
/* Two pipelines under the same names take over each other's views night after night: when the
 * current generation is of another one than `pipeline`, adds a line that says so. */
MUST_CHECK enum status_code publish_describe_takeover(struct db *db, const char *prefix,
                                                      const char *pipeline, struct buf *line,
                                                      struct status *status);

#endif
