/* The pairs of a user, as they are held out. */
#include "events/split.h"

static int compare_pairs(const void *left, const void *right)
{
    const struct user_pair *a = left, *b = right;

    if (a->newest != b->newest) {
        return a->newest < b->newest ? -1 : 1;
    }
    return (a->tie > b->tie) - (a->tie < b->tie);
}

size_t split_list_pairs(const struct event_log *log, size_t user, unsigned parts,
                        struct user_pair *pairs)
{
    size_t n = 0, last = (size_t)log->user_start[user + 1];

    for (size_t e = (size_t)log->user_start[user], end; e < last; e = end) {
        struct user_pair pair = {.first = e, .newest = INT64_MIN, .item = log->item_codes[e]};
        bool is_in_parts = false;
        end = pair.end = event_log_pair_end(log, e);
        for (size_t i = e; i < end; i++) {
            if ((log->parts[i] & parts) != 0) {
                is_in_parts = true;
                pair.newest = log->times[i] > pair.newest ? log->times[i] : pair.newest;
            }
        }
        if (is_in_parts) {
            pairs[n++] = pair;
        }
    }
    return n;
}

void split_order_pairs(const struct split_settings *settings, const struct event_log *log,
                       size_t user, struct user_pair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pairs[i].tie = history_tie(settings->seed, vocabulary_key(&log->users, user),
                                   vocabulary_key(&log->items, (size_t)pairs[i].item));
    }
    qsort(pairs, n, sizeof *pairs, compare_pairs);
}

void split_set_part(struct event_log *log, const struct user_pair *pair, unsigned parts,
                    enum event_part part)
{
    for (size_t e = pair->first; e < pair->end; e++) {
        if ((log->parts[e] & parts) != 0) {
            log->parts[e] = (uint8_t)part;
        }
    }
}

size_t split_longest_user(const struct event_log *log)
{
    int64_t longest = 0;

    for (size_t user = 0; user < log->users.n; user++) {
        int64_t n = log->user_start[user + 1] - log->user_start[user];
        longest = n > longest ? n : longest;
    }
    return (size_t)longest;
}
