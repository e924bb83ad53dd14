/* The ranks of a program of tests. */
#include "tests/support/ranked.h"

#include <stdio.h>

struct ranks *ranks;

int ranked_open(void **state)
{
    struct status status = {0};
    (void)state;
    if (ranks_open(&ranks, &status) != STATUS_OK) {
        fprintf(stderr, "%s\n", status.message);
        return 1;
    }
    return 0;
}

int ranked_close(void **state)
{
    (void)state;
    ranks_close(ranks);
    return 0;
}
