/* The comparison that every search makes: two trials, user by user, and a margin under which the
 * simpler one stays.
 *
 *     if (paired_clearly_better(values_of_new, values_of_old, n_users)) the new one is taken */
#ifndef NIGHTJAR_SEARCH_PAIRED_H
#define NIGHTJAR_SEARCH_PAIRED_H

#include <stdbool.h>
#include <stddef.h>

/* By how many standard errors a gain must exceed what is there. One where the choice costs nothing
 * beyond itself: settings, weights, a longer trial. Two where it costs a training every night, and
 * is the best of several besides, of which chance puts one above. */
enum { PAIRED_CLEAR = 1, PAIRED_WORTH_A_TRAINING = 2 };

/* The mean over the users who count, 0 of none. */
double paired_mean(const double *values, size_t n_users);
/* The mean of a - b over the users whom both count, and its standard error; NAN of fewer than two.
 */
void paired_difference(const double *a, const double *b, size_t n_users, double *mean,
                       double *error);
/* Whether the trial with the values a (n_users) beats that with b by more than PAIRED_CLEAR
 * standard errors of the paired differences. NAN: the user does not count. A trial in which nobody
 * counts has failed, and loses. */
bool paired_clearly_better(const double *a, const double *b, size_t n_users);
/* Of trials with the values (n, n_users) the one with the best mean, of equals the first; trial 0,
 * what there is, unless it is clearly beaten. */
size_t paired_choose(const double *values, size_t n, size_t n_users);

#endif
