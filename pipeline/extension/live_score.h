/* The published score of one user for every item, out of what `recommend: {live: true}` publishes
 * (publishing/publish_rows.c) and with the program's own functions (ranking/score.h). */
#ifndef NIGHTJAR_EXTENSION_LIVE_SCORE_H
#define NIGHTJAR_EXTENSION_LIVE_SCORE_H

#include "extension/catalogue.h"
#include "ranking/score.h"

/* Of a generation, kept with its catalogue. Candidates have numbers of their own. */
struct live_items {
    size_t n, n_known;     /* candidates; the first n_known are those of evidence */
    int32_t *item_of;      /* (n) item of the catalogue, -1: it is not there any more */
    int32_t *candidate_of; /* (items of the catalogue) or -1 */
    float *boosts;         /* (n) */
    uint8_t *eligible;     /* (n, width) to everybody, to segment 0, ...; width 0: all */
    size_t width;
    float *history_weights, *ones, *log_counts; /* (n) of evidence; its items' w_h is 1 elsewhere */
    float *powers;                              /* (n) n_i^p */
    struct score_weights weights;
    int64_t time;
    bool has_times, repeats;
};

/* A user, and what came since. Zero-initialise; live_user_release. */
struct live_user {
    bool has_vector, is_cold;
    int32_t segment; /* -1: none */
    size_t n, n_barred;
    int32_t *items; /* (n) candidates, ascending */
    float *weights;
    int64_t *times;
    int32_t *barred; /* (n_barred) candidates */
};

/* Ours as SQLite's: SQLITE_ERROR with the message, or SQLITE_NOMEM. */
int live_code(enum status_code code, const struct status *status, char **error);
/* SQLITE_ERROR, with a message about a row of this table. */
int live_damaged(const char *table, char **error);
/* *out = those of the catalogue, loaded when they are first asked for. An SQLite code; *error as of
 * catalogue_get. */
int live_items_get(struct catalogue *catalogue, sqlite3 *db, const struct live_items **out,
                   char **error);
/* The user with the id; vector (dimension). Nobody of that id is no error: no vector, no items. */
int live_user_read(const struct catalogue *catalogue, const struct live_items *live, sqlite3 *db,
                   sqlite3_value *id, struct live_user *user, float *vector, char **error);
/* Adds items (a JSON array of ids, the newest last): to the history, to what is barred, and to the
 * vector, which becomes the mean of what it was, for each item of the history once, and of theirs.
 */
int live_user_add(const struct catalogue *catalogue, const struct live_items *live, sqlite3 *db,
                  sqlite3_value *json, struct live_user *user, float *vector, char **error);
/* scores (items of the catalogue): NaN where the user may not get the item. */
int live_score(const struct catalogue *catalogue, const struct live_items *live, sqlite3 *db,
               const struct live_user *user, const float *vector, float *scores, char **error);
void live_user_release(struct live_user *user);

#endif
