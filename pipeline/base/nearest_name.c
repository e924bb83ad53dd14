/* Names compared letter by letter. */
#include "base/nearest_name.h"

#include <string.h>

enum { NAME_COMPARED_MAX = 64 };

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein distance in its restricted form (no edit between swapped neighbours), small
 * and capital letters being equal. Both lengths are at most NAME_COMPARED_MAX. */
static size_t name_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][NAME_COMPARED_MAX + 1];
    size_t *before = rows[0];
    size_t *last = rows[1];
    size_t *row = rows[2];

    for (size_t j = 0; j <= b_length; j++) {
        last[j] = j;
        before[j] = 0;
    }
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t change = lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1;
            size_t best = smaller(last[j - 1] + change, smaller(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1])) {
                best = smaller(best, before[j - 2] + 1);
            }
            row[j] = best;
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b_length];
}

const char *nearest_name(const char *const *names, size_t n, const char *name, size_t length)
{
    const char *best = NULL;
    size_t best_distance = (length >= 3 ? length / 3 : 1) + 1;
    for (size_t i = 0; i < n; i++) {
        const size_t candidate = strlen(names[i]);
        if (length <= NAME_COMPARED_MAX && candidate <= NAME_COMPARED_MAX) {
            const size_t distance = name_distance(name, length, names[i], candidate);
            best = distance < best_distance ? names[i] : best;
            best_distance = distance < best_distance ? distance : best_distance;
        }
    }
    return best;
}
