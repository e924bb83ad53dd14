/* Choices from rank to rank: thousands of cases, tens of megabytes. */
#include "evaluation/blend_internal.h"

#include "base/mem.h"

#include <string.h>

/* A case on the wire; the values follow. */
struct joined_choice {
    size_t place; /* in logit->choices */
    struct logit_choice choice;
};

static size_t values_bytes(const struct fitting *fitting, const struct logit_choice *choice)
{
    return choice->n * fitting->n_columns * sizeof *choice->x;
}

/* mine = the choices that were collected here, `bytes` of them. */
static enum status_code pack(const struct fitting *fitting, char **mine, size_t *bytes,
                             struct status *status)
{
    const struct logit *logit = &fitting->logit;
    enum status_code code;
    *bytes = 0;
    for (size_t c = 0; c < fitting->exam.n_cases; c++) {
        *bytes += logit->choices[c].x == NULL
                      ? 0
                      : sizeof(struct joined_choice) + values_bytes(fitting, &logit->choices[c]);
    }
    TRY(MEM_NEW(mine, *bytes, status));
    char *to = *mine;
    for (size_t c = 0; c < fitting->exam.n_cases; c++) {
        const struct joined_choice joined = {c, logit->choices[c]};
        if (joined.choice.x != NULL) {
            memcpy(to, &joined, sizeof joined);
            memcpy(to + sizeof joined, joined.choice.x, values_bytes(fitting, &joined.choice));
            to += sizeof joined + values_bytes(fitting, &joined.choice);
        }
    }
done:
    return code;
}

enum status_code blend_join(struct fitting *fitting, struct status *status)
{
    struct ranks *ranks = fitting->exam.crowd.ranks;
    struct ranks_bytes all = {0};
    char *mine = NULL;
    size_t bytes;
    enum status_code code = STATUS_OK;
    if (ranks_n(ranks) == 1) {
        goto done;
    }
    TRY(pack(fitting, &mine, &bytes, status));
    TRY(ranks_gather(ranks, mine, bytes, &all, status));
    for (const char *from = all.data; from < all.data + all.first[ranks_n(ranks)];) {
        struct joined_choice joined;
        memcpy(&joined, from, sizeof joined);
        struct logit_choice *choice = &fitting->logit.choices[joined.place];
        const size_t n_bytes = values_bytes(fitting, &joined.choice);
        if (choice->x == NULL) { /* another rank's */
            joined.choice.x = NULL;
            TRY(MEM_NEW(&joined.choice.x, joined.choice.n * fitting->n_columns, status));
            memcpy(joined.choice.x, from + sizeof joined, n_bytes);
            *choice = joined.choice;
        }
        from += sizeof joined + n_bytes;
    }
done:
    mem_free(mine);
    ranks_bytes_release(&all);
    return code;
}
