/* A pipeline for a database that nobody has described: which tables are the log, and what follows
 * from their rows.
 *
 *     struct proposal proposal = {0};
 *     const struct proposal_request request = {.db = db, .database = "shop.db", ...};
 *     TRY(proposal_make(&request, &proposal, status));
 *     proposal_write(&proposal, &yaml);
 *     proposal_release(&proposal);
 *
 * Reads only. */
#ifndef NIGHTJAR_DISCOVERY_PROPOSAL_H
#define NIGHTJAR_DISCOVERY_PROPOSAL_H

#include "discovery/log_undone.h"

enum { PROPOSAL_LOGS_MAX = 4, PROPOSAL_CHOICES_MAX = 8 };

struct proposal_request {
    struct db *db;
    const char *database; /* as the file is to name it */
    const char *name;     /* of the pipeline, and of the files that it writes */
    double now;           /* Unix seconds */
    /* Asked where the tables leave a choice: *answer is the best guess before, and one of n after.
     *asked: somebody has answered. */
    enum status_code (*choose)(void *data, const char *question, const char *const *choices,
                               size_t n, size_t *answer, bool *asked, struct status *status);
    void *data;
    bool may_ask; /* else only what looks like a log is proposed as one */
};

/* One table of the log. */
struct proposed_log {
    const struct log_candidate *candidate;
    struct log_facts facts;
    struct log_undone undone;
    const char *event; /* what each of its rows is, where its columns do not say so */
};

struct proposed_weight {
    char name[LOG_EVENT_NAME_MAX];
    double n_rows;
    int weight; /* 0: no choice */
    bool is_dislike;
};

struct proposal {
    const struct proposal_request *request;
    struct schema schema;
    struct log_candidates candidates;
    size_t n_logs;
    struct proposed_log logs[PROPOSAL_LOGS_MAX];
    bool has_times, has_events, has_key;
    size_t n_weights;
    struct proposed_weight weights[LOG_EVENTS_MAX + PROPOSAL_LOGS_MAX]; /* the lightest first */
    double n_rows;
    int window;       /* days of the validation and test parts; 0: shares of the log */
    struct buf notes; /* what was guessed, and what else there is: lines */
};

/* STATUS_DATA where no table is a log, with what is missing in which table. Zero-initialise;
 * release after errors, too. The request must outlive it. */
MUST_CHECK enum status_code proposal_make(const struct proposal_request *request,
                                          struct proposal *proposal, struct status *status);
/* The configuration, commented. buf->failed tells of memory. */
void proposal_write(const struct proposal *proposal, struct buf *yaml);
void proposal_release(struct proposal *proposal);

/* From this greatest rating on a rating is a good one: 4 of 5. */
double proposal_good_rating(const struct log_facts *facts);
/* Whether the rows of a log are ratings, and that is what it says. */
bool proposal_is_rated(const struct proposed_log *log);

#endif
