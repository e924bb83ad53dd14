/* Every share tried on the same users. */
#include "sequence/sequence_share.h"

#include "base/mem.h"
#include "run/context.h"
#include "search/paired.h"
#include "sequence/sequence_kept.h"

#include <math.h>

/* The first is without sequences, the last without ids. */
static const double candidates[] = {0.0, 0.25, 0.5, 0.75, 0.875, 1.0};
enum { N_CANDIDATES = sizeof candidates / sizeof candidates[0], ALONE = N_CANDIDATES - 1 };

double sequence_mix(double share, double tau, double tau_sequence, double *joined_tau)
{
    const double ids = share < 1.0 ? (1.0 - share) / tau : 0.0, sequence = share / tau_sequence;
    *joined_tau = 1.0 / (ids + sequence);
    return sequence / (ids + sequence);
}

/* NULL: none were trained. */
static const float *row_of(const struct trainer_result *ids, enum tower_side side, size_t row)
{
    return ids->dimension == 0 ? NULL : ids->vectors[side] + row * ids->dimension;
}

/* What the validation users have of one share: of_users and the mean. users, items: room for theirs
 * (n, both dimensions). A popularity that was learned belongs to the towers of ids. */
static enum status_code try_share(const struct sequence_shares *shares, double share, float *users,
                                  float *items, double *mean, double *of_users,
                                  struct status *status)
{
    const struct training *training = shares->training;
    const struct validation *validation = shares->validation;
    const struct trainer_result *ids = shares->ids;
    const struct sequence_settings *settings = &training->settings.sequence;
    const size_t d = share < 1.0 ? ids->dimension : 0, s = settings->dimension;
    const size_t n = validation->n_users, n_items = ids->n_items, wide = d + s;
    const float *bias = share < 1.0 ? ids->bias : NULL;
    const double weight = bias == NULL ? training->negatives.alpha : 1.0;
    const struct validation_grid grid = {.learned = bias, .weights = &weight, .n = 1};
    double tau;
    const double w = sequence_mix(share, ids->temperature, settings->temperature, &tau);
    for (size_t i = 0; i < n; i++) {
        const size_t user = (size_t)validation->users[i];
        sequence_join_row(row_of(ids, SIDE_USERS, user), d, shares->users + user * s, s, w,
                          users + i * wide);
    }
    for (size_t i = 0; i < n_items; i++) {
        sequence_join_row(row_of(ids, SIDE_ITEMS, i), d, shares->items + i * s, s, w,
                          items + i * wide);
    }
    return validation_run_grid(validation, const_matrix_of(users, n, wide),
                               const_matrix_of(items, n_items, wide), &grid, tau,
                               context_pool(training->context), mean, of_users, status);
}

/* Of n_tried shares: of_users (n_tried, users) and the means. */
static enum status_code try_shares(const struct sequence_shares *shares, const double *tried,
                                   size_t n_tried, double *means, double *of_users,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t wide = shares->ids->dimension + shares->training->settings.sequence.dimension;
    const size_t n = shares->validation->n_users;
    float *users = NULL, *items = NULL;
    TRY(MEM_NEW(&users, n * wide, status));
    TRY(MEM_NEW(&items, shares->ids->n_items * wide, status));
    for (size_t t = 0; t < n_tried; t++) {
        TRY(try_share(shares, tried[t], users, items, &means[t], of_users + t * n, status));
    }
done:
    mem_free(users);
    mem_free(items);
    return code;
}

/* A paired difference between two of the candidates. */
struct difference {
    double mean, error;
    char text[48]; /* of the error, for the log */
};

static struct difference difference_of(const double *a, const double *b, size_t n)
{
    struct difference difference = {.text = "of one user, which tells nothing"};
    paired_difference(a, b, n, &difference.mean, &difference.error);
    if (!isnan(difference.error)) {
        snprintf(difference.text, sizeof difference.text, "standard error %.4f", difference.error);
    }
    return difference;
}

static bool is_worth_it(const struct difference *gain)
{
    return gain->mean > PAIRED_WORTH_A_TRAINING * gain->error;
}

/* For the report and the record: what validation says with sequences and without. */
static enum status_code record(const struct sequence_shares *shares, double with, double without,
                               const char *how, struct status *status)
{
    enum status_code code;
    struct context *context = shares->training->context;
    char group[96];
    struct publish_metric metric = {.name = shares->training->metric,
                                    .model = "sequences",
                                    .group = "validation",
                                    .value = with};
    TRY(context_add_metric(context, &metric, status));
    snprintf(group, sizeof group, "without:sequences, %s", how);
    metric.group = group;
    metric.value = without;
    TRY(context_add_metric(context, &metric, status));
done:
    return code;
}

enum status_code sequence_share_choose(const struct sequence_shares *shares, size_t epochs,
                                       double *share, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n = shares->validation->n_users;
    struct log *log = context_log(shares->training->context);
    const char *metric = shares->training->metric;
    double means[N_CANDIDATES];
    double *of_users = NULL;
    char how[64] = "left out";
    size_t best = 1;
    TRY(MEM_NEW(&of_users, N_CANDIDATES * n, status));
    TRY(try_shares(shares, candidates, N_CANDIDATES, means, of_users, status));
    for (size_t t = 2; t < ALONE; t++) {
        best = means[t] > means[best] ? t : best;
    }
    const double *alone = of_users + ALONE * n;
    const struct difference more = difference_of(of_users + best * n, alone, n);
    const struct difference of_alone = difference_of(alone, of_users, n);
    const bool is_alone = shares->alone_is_offered && !(more.mean > PAIRED_CLEAR * more.error) &&
                          is_worth_it(&of_alone);
    const size_t taken = is_alone ? ALONE : best;
    const struct difference gain = difference_of(of_users + taken * n, of_users, n);
    *share = is_worth_it(&gain) ? candidates[taken] : 0.0;
    log_write(log, LOG_INFO,
              "train: sequences read for %zu epochs: %s %.4f at a share of %g against %.4f without "
              "(difference %+.4f, %s): %s",
              epochs, metric, means[taken], candidates[taken], means[0], gain.mean, gain.text,
              *share > 0.0 ? "taken" : "left out");
    if (*share > 0.0) {
        log_write(log, LOG_INFO,
                  "train: sequences beside ids at best against sequences alone: %.4f and %.4f "
                  "(difference %+.4f, %s): %s",
                  means[best], means[ALONE], more.mean, more.text,
                  is_alone                   ? "they stand in the place of ids"
                  : shares->alone_is_offered ? "ids stay"
                                             : "ids stay, as some are known by side data alone");
        snprintf(how, sizeof how, "at a share of %g", *share);
    }
    TRY(record(shares, means[taken], means[0], how, status));
done:
    mem_free(of_users);
    return code;
}

enum status_code sequence_share_tell(const struct sequence_shares *shares, size_t epochs,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n = shares->validation->n_users;
    const double tried[] = {shares->training->settings.sequence.share, 0.0};
    const size_t n_tried = shares->ids->dimension > 0 ? 2 : 1;
    double means[2];
    double *of_users = NULL;
    char without[96] = "", how[64];
    TRY(MEM_NEW(&of_users, n_tried * n, status));
    TRY(try_shares(shares, tried, n_tried, means, of_users, status));
    if (n_tried > 1) {
        const struct difference gain = difference_of(of_users, of_users + n, n);
        snprintf(without, sizeof without, " against %.4f without (difference %+.4f, %s)", means[1],
                 gain.mean, gain.text);
        snprintf(how, sizeof how, "at the share of %g that is given", tried[0]);
        TRY(record(shares, means[0], means[1], how, status));
    }
    log_write(context_log(shares->training->context), LOG_INFO,
              "train: sequences read for %zu epochs: %s %.4f at the share of %g that is given%s",
              epochs, shares->training->metric, means[0], tried[0], without);
done:
    mem_free(of_users);
    return code;
}
