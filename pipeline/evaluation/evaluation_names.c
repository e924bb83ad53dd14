/* What an evaluation is asked, by name. */
#include "evaluation/evaluation_internal.h"

#include "base/mem.h"

#include <string.h>

static bool parse_asked(const char *name, struct asked *out)
{
    *out = (struct asked){.name = name};
    return metric_parse(name, strlen(name), &out->metric, &out->k) ||
           list_measure_parse(name, strlen(name), &out->measure, &out->k);
}

bool evaluation_knows(const char *name)
{
    struct asked asked;
    return parse_asked(name, &asked);
}

const char *const *evaluation_judged(const char *const *names, size_t gate, size_t n,
                                     size_t *n_judged)
{
    const struct metric *metric;
    const char *const *judged = NULL;
    size_t k;
    for (size_t m = gate; m < n; m++) {
        if (metric_parse(names[m], strlen(names[m]), &metric, &k)) {
            *n_judged = n - gate;
            return names + gate;
        }
    }
    for (size_t m = 0; m < gate; m++) {
        if (metric_parse(names[m], strlen(names[m]), &metric, &k) &&
            (judged == NULL || strcmp(names[m], "ndcg@20") == 0)) {
            judged = names + m;
        }
    }
    *n_judged = judged == NULL ? 0 : 1;
    return judged;
}

enum status_code evaluation_parse(const char *const *names, size_t n_names, struct asked **asked,
                                  size_t *n_asked, struct status *status)
{
    size_t n = 0;
    enum status_code code;
    TRY(MEM_NEW(asked, n_names, status));
    for (size_t m = 0; m < n_names; m++) {
        bool repeated = false;
        if (!parse_asked(names[m], &(*asked)[n])) {
            return status_set(status, STATUS_CONFIG, "%s is not a metric such as ndcg@20",
                              names[m]);
        }
        for (size_t other = 0; other < n; other++) {
            repeated = repeated || strcmp((*asked)[other].name, names[m]) == 0;
        }
        n += repeated ? 0 : 1;
    }
    *n_asked = n;
done:
    return code;
}
