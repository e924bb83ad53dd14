/* Cutting a log into train, validation and test. */
#include "events/split.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rng.h"
#include "events/dislikes.h"
#include "events/event_time.h"

#include <assert.h>
#include <math.h>

const char *const split_by_names[N_SPLITS + 1] = {
    [SPLIT_AUTO] = "auto",     [SPLIT_TIME] = "time", [SPLIT_LEAVE_LAST] = "leave_last",
    [SPLIT_RANDOM] = "random", [SPLIT_NONE] = "none",
};

bool split_amount_parse(enum split_by by, const char *text, struct split_amount *amount, char *why,
                        size_t why_capacity)
{
    size_t length = strlen(text);
    double value = 0;
    int64_t count = 0;

    if (by == SPLIT_NONE) {
        snprintf(why, why_capacity, "by: none cuts nothing: leave '%s' out", text);
        return false;
    }
    if (num_parse_double(text, length, &value) && value == 0) {
        *amount = (struct split_amount){SPLIT_NOTHING, 0};
        return true;
    }
    if (by == SPLIT_LEAVE_LAST) {
        if (!num_parse_int64(text, length, &count) || count < 0 || count > 1000000) {
            snprintf(why, why_capacity,
                     "'%s' is no number of pairs per user: by: leave_last takes a whole number "
                     "from 0 to 1000000",
                     text);
            return false;
        }
        *amount = (struct split_amount){SPLIT_COUNT, (double)count};
        return true;
    }
    if (num_parse_double(text, length, &value) && value > 0 && value < 1) {
        *amount = (struct split_amount){SPLIT_FRACTION, value};
        return true;
    }
    if (by == SPLIT_TIME && num_parse_duration(text, length, &value) && value >= 1 &&
        value < 1e11) {
        *amount = (struct split_amount){SPLIT_SECONDS, floor(value)};
        return true;
    }
    if (by == SPLIT_TIME) {
        snprintf(why, why_capacity,
                 "'%s' is neither a duration of at least a second (7d, 12h) nor a fraction of the "
                 "events (from 0 to below 1, such as 0.1)",
                 text);
    } else {
        snprintf(why, why_capacity,
                 "'%s' is no fraction: by: %s takes a number from 0 to below 1, such as 0.1", text,
                 split_by_names[by]);
    }
    return false;
}

/* *n = how many PART_TRAIN events there are after `border`, on all ranks. */
static enum status_code count_later(const struct event_log *log, int64_t border, int64_t *n,
                                    struct status *status)
{
    int64_t n_later = 0;

    for (size_t e = 0; e < log->n; e++) {
        n_later += (int64_t)(log->parts[e] == PART_TRAIN) & (int64_t)(log->times[e] > border);
    }
    *n = n_later;
    return ranks_sum_int64(log->ranks, n, 1, status);
}

/* *border = the smallest time with at most `most` events after it, by bisection: some 33 passes
 * over the times cost less than sorting them. */
static enum status_code border_of_count(const struct event_log *log, int64_t newest, double most,
                                        int64_t *border, struct status *status)
{
    enum status_code code = STATUS_OK;
    int64_t low = TIME_FIRST - 1, high = newest, n_later;

    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        TRY(count_later(log, middle, &n_later, status));
        if ((double)n_later <= most) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    *border = high;
done:
    return code;
}

/* *border = where the part of size `amount` begins that ends at `end` (inclusive). */
static enum status_code part_border(const struct event_log *log, const struct split_amount *amount,
                                    int64_t end, int64_t newest, int64_t *border,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    int64_t n_train, n_later;

    *border = end;
    switch (amount->kind) {
    case SPLIT_SECONDS:
        *border = end - (int64_t)amount->value;
        break;
    case SPLIT_FRACTION:
        TRY(count_later(log, TIME_FIRST - 1, &n_train, status));
        TRY(count_later(log, end, &n_later, status));
        TRY(border_of_count(log, newest, (double)n_later + amount->value * (double)n_train, border,
                            status));
        break;
    case SPLIT_NOTHING:
    case SPLIT_COUNT:
        break;
    }
done:
    return code;
}

bool split_is_random(const struct split_settings *settings, bool has_times)
{
    return settings->by == SPLIT_RANDOM || (settings->by == SPLIT_AUTO && !has_times);
}

/* *share = of the newest tenth's events, the share whose user had the item before that tenth began.
 */
static enum status_code known_share(const struct event_log *log, double *share,
                                    struct status *status)
{
    enum status_code code;
    int64_t n_train, newest, border, n_late[2] = {0}; /* all of them; those that were known */
    bool found;
    TRY(count_later(log, TIME_FIRST - 1, &n_train, status));
    TRY(event_log_newest_of_all(log, PART_TRAIN, &newest, &found, status));
    TRY(border_of_count(log, newest, 0.1 * (double)n_train, &border, status));
    for (size_t first = 0, end; found && first < log->n; first = end) {
        size_t n_later = 0;
        end = event_log_pair_end(log, first);
        for (size_t e = first; e < end; e++) {
            n_later += log->times[e] > border;
        }
        n_late[0] += (int64_t)n_later;
        n_late[1] += n_later < end - first ? (int64_t)n_later : 0;
    }
    TRY(ranks_sum_int64(log->ranks, n_late, 2, status));
    *share = n_late[0] == 0 ? 0 : (double)n_late[1] / (double)n_late[0];
done:
    return code;
}

enum status_code split_repeats(const struct split_settings *settings, const struct event_log *log,
                               bool *repeats, double *share, struct status *status)
{
    enum status_code code = STATUS_OK;
    const bool by_pair = settings->by == SPLIT_LEAVE_LAST || settings->by == SPLIT_RANDOM;
    double known = 0;
    if (log->has_times) {
        TRY(known_share(log, &known, status));
    }
    *share = known;
    *repeats = settings->repeats == CHOICE_AUTO ? !by_pair && known >= SPLIT_REPEATS
                                                : settings->repeats == CHOICE_TRUE;
done:
    return code;
}

/* What was only seen goes with its pair where that is held out, on purpose or by user; else with
 * the part in whose time it came, which starts with `first` of time, or with the user's own first
 * events of leave_last; random has no before and after. */
static enum status_code cut_seen(const struct event_log *log, enum split_by by,
                                 const int64_t first_of_time[2], struct event_log *seen,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    int32_t *users = NULL, *items = NULL;

    TRY(MEM_NEW(&users, seen->users.n, status));
    TRY(MEM_NEW(&items, seen->items.n, status));
    vocabulary_locate(&seen->users, &log->users, users);
    vocabulary_locate(&seen->items, &log->items, items);
    for (size_t u = 0; u < seen->users.n; u++) {
        int64_t at = users[u] < 0 ? 0 : log->user_start[users[u]];
        const int64_t end = users[u] < 0 ? 0 : log->user_start[users[u] + 1];
        int64_t first[2] = {first_of_time[0], first_of_time[1]};
        for (int64_t e = at; by == SPLIT_LEAVE_LAST && e < end; e++) {
            int64_t *of_part = &first[log->parts[e] == PART_TEST];
            if ((log->parts[e] & (PART_VALID | PART_TEST)) != 0 && log->times[e] < *of_part) {
                *of_part = log->times[e];
            }
        }
        for (int64_t e = seen->user_start[u]; e < seen->user_start[u + 1]; e++) {
            const int32_t item = items[seen->item_codes[e]];
            unsigned part = seen->times[e] >= first[1]   ? PART_TEST
                            : seen->times[e] >= first[0] ? PART_VALID
                                                         : PART_TRAIN;
            while (at < end && item >= 0 && log->item_codes[at] < item) {
                at++;
            }
            for (int64_t i = at; i < end && log->item_codes[i] == item; i++) {
                if (log->parts[i] == PART_COLD_ASKED ||
                    (by != SPLIT_TIME && (log->parts[i] & (PART_VALID | PART_TEST)) != 0)) {
                    part = log->parts[i];
                }
            }
            seen->parts[e] = (uint8_t)part;
        }
    }
done:
    mem_free(users);
    mem_free(items);
    return code;
}

static enum status_code refuse_borders(int64_t newest, int64_t border, int64_t n_events,
                                       struct status *status)
{
    char newest_text[CLOCK_TEXT_MAX], border_text[CLOCK_TEXT_MAX];
    clock_format(newest, newest_text);
    clock_format(border, border_text);
    return status_set(
        status, STATUS_DATA,
        "split by time: no event is left for training: the log's newest event is of %s and all "
        "%lld events are newer than %s, where validation and test begin; make split.valid and "
        "split.test shorter",
        newest_text, (long long)n_events, border_text);
}

static enum status_code split_by_time(const struct split_settings *settings, struct event_log *log,
                                      struct status *status)
{
    enum status_code code;
    bool found = false;
    int64_t newest, test_border, valid_border;
    int64_t counts[2] = {0, (int64_t)log->n}; /* events that stay in train, events */

    TRY(event_log_newest_of_all(log, PART_TRAIN, &newest, &found, status));
    if (!found || (settings->test.kind == SPLIT_NOTHING && settings->valid.kind == SPLIT_NOTHING)) {
        goto done;
    }
    TRY(part_border(log, &settings->test, newest, newest, &test_border, status));
    TRY(part_border(log, &settings->valid, test_border, newest, &valid_border, status));
    for (size_t e = 0; e < log->n; e++) {
        if (log->parts[e] == PART_TRAIN && log->times[e] > valid_border) {
            log->parts[e] = log->times[e] > test_border ? PART_TEST : PART_VALID;
        }
        counts[0] += log->parts[e] == PART_TRAIN ? 1 : 0;
    }
    if (log->dislikes != NULL) {
        dislikes_cut_at(log->dislikes, valid_border);
    }
    TRY(ranks_sum_int64(log->ranks, counts, 2, status));
    if (counts[0] == 0) {
        TRY(refuse_borders(newest, valid_border, counts[1], status));
    }
    if (log->seen != NULL) {
        const int64_t first[2] = {valid_border + 1, test_border + 1};
        TRY(cut_seen(log, SPLIT_TIME, first, log->seen, status));
    }
done:
    return code;
}

static void leave_last(const struct split_settings *settings, struct event_log *log, size_t user,
                       struct user_pair *pairs, size_t n)
{
    size_t n_test = (size_t)settings->test.value, n_valid = (size_t)settings->valid.value;

    if (n <= n_test + n_valid) {
        return;
    }
    split_order_pairs(settings, log, user, pairs, n);
    for (size_t i = n - n_test - n_valid; i < n; i++) {
        split_set_part(log, &pairs[i], PART_TRAIN, i >= n - n_test ? PART_TEST : PART_VALID);
    }
}

/* A random part of the pairs, in the order of a permutation. */
static void draw_parts(const struct split_settings *settings, struct event_log *log, size_t user,
                       const struct user_pair *pairs, size_t n, uint32_t *permutation)
{
    struct rng rng;

    if (n < 2) {
        return;
    }
    rng_init(&rng, settings->seed, "interactions.split", 0, vocabulary_key(&log->users, user));
    rng_permutation(&rng, n, permutation);
    size_t n_test = (size_t)floor(settings->test.value * (double)n + rng_double(&rng));
    size_t n_valid = (size_t)floor(settings->valid.value * (double)n + rng_double(&rng));
    if (n_test > n - 1) {
        n_test = n - 1;
    }
    if (n_valid > n - 1 - n_test) {
        n_valid = n - 1 - n_test;
    }
    for (size_t i = 0; i < n_test + n_valid; i++) {
        split_set_part(log, &pairs[permutation[i]], PART_TRAIN,
                       i < n_test ? PART_TEST : PART_VALID);
    }
}

static enum status_code split_by_user(const struct split_settings *settings, enum split_by by,
                                      struct event_log *log, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct user_pair *pairs = NULL;
    uint32_t *permutation = NULL;
    size_t longest = split_longest_user(log);

    TRY(MEM_NEW(&pairs, longest, status));
    TRY(MEM_NEW(&permutation, longest, status));
    for (size_t user = 0; user < log->users.n; user++) {
        size_t n = split_list_pairs(log, user, PART_TRAIN, pairs);
        if (by == SPLIT_LEAVE_LAST) {
            leave_last(settings, log, user, pairs, n);
        } else {
            draw_parts(settings, log, user, pairs, n, permutation);
        }
    }
    if (by == SPLIT_LEAVE_LAST && log->dislikes != NULL) {
        dislikes_cut_by_user(log, log->dislikes);
    }
    if (log->seen != NULL) {
        const int64_t first[2] = {INT64_MAX, INT64_MAX};
        TRY(cut_seen(log, by, first, log->seen, status));
    }
done:
    mem_free(pairs);
    mem_free(permutation);
    return code;
}

enum status_code split_assign(const struct split_settings *settings, struct event_log *log,
                              struct status *status)
{
    enum split_by by = settings->by;

    assert(log->user_start != NULL);
    enum status_code code = split_hold_out_cold(settings, log, status);
    if (code != STATUS_OK || by == SPLIT_NONE) {
        return code;
    }
    if (by == SPLIT_AUTO) {
        by = log->has_times ? SPLIT_TIME : SPLIT_RANDOM;
    }
    if (by != SPLIT_TIME) {
        return split_by_user(settings, by, log, status);
    }
    if (!log->has_times) {
        return status_set(status, STATUS_CONFIG,
                          "split.by: time needs a column of times in source.interactions");
    }
    return split_by_time(settings, log, status);
}
