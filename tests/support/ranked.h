/* Tests that mpirun may start as several ranks: each runs all of them. */
#ifndef NIGHTJAR_TESTS_SUPPORT_RANKED_H
#define NIGHTJAR_TESTS_SUPPORT_RANKED_H

#include "ranks/ranks.h"

extern struct ranks *ranks; /* NULL where this process is alone */

/* For cmocka_run_group_tests. */
int ranked_open(void **state);
int ranked_close(void **state);

#endif
