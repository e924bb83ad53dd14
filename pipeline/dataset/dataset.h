/* The interaction data as every stage behind `interactions` sees it.
 *
 * Two bases. FIT holds what settings are chosen on: train, validation and test parts cut from the
 * log, users and items that survive the k-core of the train part. ALL holds every event of the log
 * (the k-core of the log): what the served towers are trained on. Each has its own dense user and
 * item numbers ("rows" and "columns" below), mapped to the master vocabulary's codes, so that
 * nothing of the validation or test part reaches FIT's counts. The master codes and `log` cover
 * every accepted event, before any k-core: seen items and cold users come from there. Who and what
 * stands in dislikes alone has a master code and no entry in `log`. What has a
 * master code but no row is the basis's cold part.
 *
 *      source ids --vocabulary--> master codes --dataset.users / .items--> rows and columns
 *
 * Under several ranks (ranks/ranks.h) each has its own users alone: the vocabulary of users, rows
 * and codes of users are the rank's. Items and their codes are the same everywhere. What has to be
 * known of all users is in dataset_ranks.h.
 *
 * A stage reads it so; the ids of the items that the first user of FIT had, one by one:
 *
 *     TRY(context_input(context, "interactions", &artifact, status));
 *     TRY(interactions_load(&interactions, artifact, status));
 *     const struct dataset *fit = &interactions.basis[BASIS_FIT];
 *     const int32_t *columns = sparse_row(&fit->train.matrix, 0, &n);
 *     vocabulary_id(&interactions.items, fit->items[columns[0]])      and so on, n of them
 *     interactions_release(&interactions);
 */
#ifndef NIGHTJAR_DATASET_DATASET_H
#define NIGHTJAR_DATASET_DATASET_H

#include "dataset/dataset_totals.h"
#include "dataset/vocabulary.h"
#include "math/sparse.h"

/* User x item, one entry a pair after the duplicate policy: value = weight (> 0). */
struct history {
    struct sparse matrix;
    int64_t *times; /* (entries) Unix seconds of the pair's newest event, or NULL: no times */
};

enum basis { BASIS_FIT, BASIS_ALL, N_BASES };

/* Users and items of the master vocabulary that a basis has no row for: below the k-core, younger
 * than the train part, or (FIT) held out on purpose by split.cold_users and split.cold_items. Asked
 * are the basis's test part and what was held out on purpose, pairs known from training or
 * validation dropped; without either the asked matrices have their shape and no entry. */
struct cold_part {
    size_t n_users;
    const int32_t *users; /* (n_users) master codes, ascending: those with a history */
    struct history
        history; /* (n_users, n_items of the basis) what they did that is not asked; every
                    row has an entry; at most max_user_interactions of the newest */
    struct sparse held_out; /* (n_users, n_items of the basis) asked, without values */
    const int32_t *unknown; /* (n_users) asked items per user that the basis does not know */
    struct sparse barred;   /* (n_users, n_items of the basis) what lists made for them would leave
                               out, the history included; zero rows where nothing is asked */
    size_t n_items;
    const int32_t *items;        /* (n_items) master codes, ascending: every item without a row */
    struct sparse item_held_out; /* (n_users of the basis, n_items) asked, without values */
    struct sparse item_seen;     /* (n_users of the basis, n_items) known pairs with such items,
                                    which are not to be ranked; without values */
};

struct dataset {
    size_t n_users, n_items;
    struct dataset_totals totals; /* read it with dataset_totals() of dataset_ranks.h */
    const int32_t *users;         /* (n_users) master codes, ascending */
    const int32_t *items;         /* (n_items) master codes, ascending */
    struct history train;         /* (n_users, n_items) */
    /* (n_users, n_items) explicit dislikes, none of them in train; matrix.values NULL. Of FIT those
       that were known when its train part ended. Zero rows when the log has none. */
    struct history dislikes;
    bool repeats; /* held-out parts keep what the user had before, and nothing of that is barred */
    /* Held-out parts: pairs that are also in train, or barred, are already dropped; test holds
       nothing of valid. With repeats they hold all of their events' pairs. Items unknown to train
       cannot stand in the matrix: *_unknown counts them per user, they are misses. Zero rows
       (n_rows = 0) when the basis has no such part. */
    struct history valid, test;
    bool valid_is_random; /* each user's valid part was drawn, so that another draw is as good */
    const int32_t *valid_unknown, *test_unknown;    /* (n_users) or NULL */
    size_t valid_unknown_users, test_unknown_users; /* users with held-out pairs but no train row */
    /* (n_users, n_items) what lists that were served when the part began would leave out beside
       `train`: no judged list may have it. Zero rows: nothing. */
    struct sparse valid_barred, test_barred;
    struct cold_part cold;
};

/* Pairs under vocabularies of their own: of rows that count for nothing, whose ids the log may not
 * have. */
struct seen_pairs {
    struct vocabulary users, items; /* ascending */
    struct sparse pairs;            /* (users, items), without values; zero rows: none */
};

struct interactions {
    struct vocabulary users, items; /* master: of the log, dislikes included */
    int64_t n_all_users;            /* users of all ranks; 0: the vocabulary has them all */
    struct history log;             /* (master users, master items): every accepted event except a
                                       test given as a table of its own */
    /* (master users, master items): pairs whose last word is a dislike;
       matrix.values NULL. Zero rows when the log has none. They stay in `log`, too, where the same
       pair had a positive event before. */
    struct history disliked;
    struct seen_pairs seen; /* of rows of no weight, left out, too old, rated too low or unusable:
                               seen all the same */
    struct dataset basis[N_BASES]; /* ALL has a test part only when the test is a given table; its
                                      valid part is always empty */
    bool has_times;
    bool test_is_given;         /* the test is a table of its own, not cut from the log */
    int64_t newest_time;        /* of the log, Unix seconds; 0 without times */
    int64_t n_rows, n_rejected; /* rows read from the source, rows rejected */
    bool is_view;               /* the arrays belong to an artifact */
};

/* Moves everything into the artifact "interactions"; `interactions` stays usable as a view. On
 * error what was not moved is freed and `interactions` is zeroed. */
MUST_CHECK enum status_code interactions_save(struct interactions *interactions,
                                              struct artifact *artifact, struct status *status);
/* A view over the artifact, which must outlive it; release frees only what the view allocated. */
MUST_CHECK enum status_code interactions_load(struct interactions *interactions,
                                              const struct artifact *artifact,
                                              struct status *status);
void interactions_release(struct interactions *interactions);
void history_release(struct history *history); /* of one that owns its arrays */
void seen_pairs_release(struct seen_pairs *seen);
/* Under PREFIX.users, PREFIX.items and PREFIX.pairs; nothing where there are none. Save moves the
 * arrays into the artifact, leaving a view; on error the pairs are gone. */
MUST_CHECK enum status_code seen_pairs_save(struct seen_pairs *seen, struct artifact *artifact,
                                            const char *prefix, struct status *status);
MUST_CHECK enum status_code seen_pairs_load(struct seen_pairs *seen,
                                            const struct artifact *artifact, const char *prefix,
                                            struct status *status);

/* What orders a user's pairs of one and the same time: a permutation of its own for every seed and
 * user, which knows nothing of the order of ids or rows. */
uint64_t history_tie(uint64_t seed, uint64_t user, uint64_t item);
/* counts (n_items): n_i, the number of train users of each item, over all ranks. */
void dataset_item_counts(const struct dataset *dataset, int64_t *counts);
/* The newest time; INT64_MIN without times, or without a pair. */
int64_t history_newest(const struct history *history);
/* out (n_users, n_items; zeroed before) = what no list has that is judged on a held-out part with
 * this `barred` (NULL allowed): train and that, nothing where repeats count. It is left without
 * rows where it would be train alone. */
MUST_CHECK enum status_code dataset_excluded(const struct dataset *dataset,
                                             const struct sparse *barred, struct sparse *out,
                                             struct status *status);
/* map (n_master) = row of each master code in `codes` (ascending, n), or -1. */
void dataset_invert(const int32_t *codes, size_t n, size_t n_master, int32_t *map);

#endif
