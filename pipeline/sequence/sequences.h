/* The histories of users as sequences: what they did in the order of time. Events of one and the
 * same time are one step, a set without an order inside.
 *
 *      history of a user   (item 4, Monday), (item 1, Tuesday), (item 9, Monday)
 *      its sequence        {4, 9}, {1}
 *
 *     struct sequences sequences = {0};
 *     TRY(sequences_init(&sequences, &dataset->train, NULL, 200, status));
 *     steps [sequences.first[u], sequences.first[u + 1]) are those of user u
 *     sequences_release(&sequences); */
#ifndef NIGHTJAR_SEQUENCE_SEQUENCES_H
#define NIGHTJAR_SEQUENCE_SEQUENCES_H

#include "dataset/dataset.h"

/* Where the reading of users has ended, so that a later night reads on from there. A view. */
struct sequence_memory {
    size_t n_users;
    const float *states; /* (n_users, layers, dimension) of the recurrences behind the last step */
    const int64_t *newest; /* (n_users) as in struct sequences */
    const int64_t *read;   /* (n_users) the same */
};

/* Zero-initialise. */
struct sequences {
    size_t n_users;
    int64_t *first;   /* (n_users + 1) first step of each */
    int64_t *offsets; /* (steps + 1) first item of each step */
    int32_t *items;   /* columns, ascending within a step */
    uint8_t *ages;    /* (steps) sequence_age of the time since the step before; 0: the first */
    int64_t *newest;  /* (n_users) time of the last step; 0: none */
    int64_t *read;    /* (n_users) sum of the hashes of the events of the steps; 0: none */
    const struct sequence_memory *memory; /* that some go on from; NULL: nobody does */
    int32_t *goes_on; /* (n_users) row of the memory whose steps stand before the first one; -1 */
};

enum { SEQUENCE_AGES = 40 };
/* log2(1 + seconds) rounded down: below SEQUENCE_AGES. */
uint8_t sequence_age(int64_t seconds);

/* Which part of a history is read: row u of the sequences is row rows[u], -1: none; its columns
 * become columns[column], -1: left out. NULL for either: as they are. */
struct sequence_view {
    const int32_t *rows; /* (n_rows) */
    size_t n_rows;
    const int32_t *columns; /* (n_columns of the history) */
    /* Row u goes on from row remembered[u] of the memory, -1: none, where the events until then are
     * those that were read, and what came later is something, and less than `length` steps. NULL:
     * nobody does. */
    const struct sequence_memory *memory;
    const int32_t *remembered; /* (n_rows) */
};

/* The newest `length` steps of each row. view NULL: all rows and columns. The history has times. */
MUST_CHECK enum status_code sequences_init(struct sequences *sequences,
                                           const struct history *history,
                                           const struct sequence_view *view, size_t length,
                                           struct status *status);
void sequences_release(struct sequences *sequences);

static inline size_t sequence_steps(const struct sequences *sequences, size_t user)
{
    return (size_t)(sequences->first[user + 1] - sequences->first[user]);
}

#endif
