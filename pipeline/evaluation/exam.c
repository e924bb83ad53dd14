/* Sittings out of a validation part, and what each of them knows. */
#include "evaluation/exam.h"

#include "base/mem.h"
#include "dataset/dataset_ranks.h"

#include <string.h>

enum {
    HALF_LIVES_KEPT = 12,
    MOST_EVENINGS = 28,
    LEAST_EVENINGS = 7,
    MOST_CHANGES = 1 << 24 /* late events times evenings: those beyond the least */
};

struct exam_memory {
    size_t n_evenings;
    struct evening *evenings; /* (n_evenings) */
    struct sparse *excluded;  /* (n_evenings) */
    size_t n_kept;
    double half_lives[HALF_LIVES_KEPT];
    double *popularity[HALF_LIVES_KEPT]; /* (n_items) of the train part */
};

static void memory_free(struct exam_memory *memory)
{
    for (size_t e = 0; memory != NULL && e < memory->n_evenings; e++) {
        evening_release(&memory->evenings[e]);
        sparse_release(&memory->excluded[e]);
    }
    for (size_t h = 0; memory != NULL && h < memory->n_kept; h++) {
        mem_free(memory->popularity[h]);
    }
    if (memory != NULL) {
        mem_free(memory->evenings);
        mem_free(memory->excluded);
    }
    mem_free(memory);
}

void exam_release(struct exam *exam)
{
    for (size_t s = 0; exam->sittings != NULL && s < exam->n_sittings; s++) {
        mem_free(exam->sittings[s].rows);
        mem_free(exam->sittings[s].users);
        mem_free(exam->sittings[s].places);
        mem_free(exam->sittings[s].cases);
    }
    mem_free(exam->sittings);
    mem_free(exam->offsets);
    if (!exam->shares_memory) {
        memory_free(exam->memory);
    }
    *exam = (struct exam){0};
}

bool exam_has_times(const struct exam *exam)
{
    return dataset_totals(exam->dataset).newest != INT64_MIN;
}

/* ---- who is asked ---- */

/* Who is asked at all: rows (*n) of the basis, ascending, their places among all ranks' (*n_all).
 */
static enum status_code find_users(const struct exam *from, int32_t *rows, size_t *n,
                                   int32_t *places, size_t *n_all, struct status *status)
{
    const size_t n_rows = from->dataset->n_users;
    uint8_t *is_asked = NULL;
    enum status_code code;
    TRY(MEM_NEW(&is_asked, n_rows, status));
    for (size_t s = 0; s < from->n_sittings; s++) {
        for (size_t a = 0; a < from->sittings[s].n; a++) {
            is_asked[from->sittings[s].users[a]] = 1;
        }
    }
    *n = 0;
    for (size_t u = 0; u < n_rows; u++) {
        if (is_asked[u]) {
            rows[(*n)++] = (int32_t)u;
        }
    }
    TRY(crowd_places(&from->crowd, rows, *n, places, n_all, status));
done:
    mem_free(is_asked);
    return code;
}

/* numbers (n): of the places of users those who stay have one, -1: the others. Returns how many
 * stay: of `users`, evenly, so many that they have about most_cases. */
static size_t number_places(size_t n, size_t n_cases, size_t most_cases, enum exam_users users,
                            int32_t *numbers)
{
    const size_t share = n_cases <= most_cases ? n : most_cases * n / n_cases;
    const size_t most = share > 0 || n == 0 ? share : 1;
    size_t kept = 0;
    for (size_t at = 0, taken = 0; at < n; at++) {
        const bool is_taken = taken < most && at == exam_taken(taken, n, most);
        const bool stays = is_taken && (users == EXAM_ALL || at % 2 == (users == EXAM_ODD));
        numbers[at] = stays ? (int32_t)kept++ : -1;
        taken += is_taken ? 1 : 0;
    }
    return kept;
}

/* place (n_users of the basis) of each user of the sittings who stays, -1: the others; *n_stay of
 * all ranks. */
static enum status_code number_users(const struct exam *from, size_t most_cases,
                                     enum exam_users users, int32_t *place, size_t *n_stay,
                                     struct status *status)
{
    const size_t n_rows = from->dataset->n_users;
    size_t n, n_all, n_cases = 0;
    int32_t *rows = NULL, *places = NULL, *numbers = NULL;
    enum status_code code;
    TRY(MEM_NEW(&rows, n_rows, status));
    TRY(MEM_NEW(&places, n_rows, status));
    TRY(find_users(from, rows, &n, places, &n_all, status));
    for (size_t s = 0; s < from->n_sittings; s++) {
        n_cases += from->sittings[s].n;
    }
    TRY(ranks_sum_count(from->crowd.ranks, &n_cases, status));
    TRY(MEM_NEW(&numbers, n_all, status));
    *n_stay = number_places(n_all, n_cases, most_cases, users, numbers);
    for (size_t u = 0; u < n_rows; u++) {
        place[u] = -1;
    }
    for (size_t a = 0; a < n; a++) {
        place[rows[a]] = numbers[places[a]];
    }
done:
    mem_free(rows);
    mem_free(places);
    mem_free(numbers);
    return code;
}

/* The cases of `from` whose users have a place; `to` has its other fields. */
static enum status_code take_cases(const struct exam_sitting *from, const int32_t *place,
                                   struct exam_sitting *to, struct status *status)
{
    enum status_code code;
    *to = *from;
    to->n = 0;
    to->rows = to->users = to->places = to->cases = NULL;
    TRY(MEM_NEW(&to->rows, from->n, status));
    TRY(MEM_NEW(&to->users, from->n, status));
    TRY(MEM_NEW(&to->places, from->n, status));
    TRY(MEM_NEW(&to->cases, from->n, status));
    for (size_t a = 0; a < from->n; a++) {
        const int32_t at = place[from->users[a]];
        if (at >= 0) {
            to->rows[to->n] = from->rows[a];
            to->users[to->n] = from->users[a];
            to->places[to->n++] = at;
        }
    }
done:
    return code;
}

/* Numbers the cases, by user and then by sitting. */
static enum status_code number_cases(struct exam *exam, struct status *status)
{
    int64_t *next = NULL;
    enum status_code code;
    TRY(MEM_NEW(&exam->offsets, exam->n_users + 1, status));
    TRY(MEM_NEW(&next, exam->n_users, status));
    exam->n_own = 0;
    for (size_t s = 0; s < exam->n_sittings; s++) {
        exam->n_own += exam->sittings[s].n;
        for (size_t a = 0; a < exam->sittings[s].n; a++) {
            exam->offsets[exam->sittings[s].places[a] + 1]++;
        }
    }
    TRY(ranks_sum_int64(exam->crowd.ranks, exam->offsets, exam->n_users + 1, status));
    for (size_t u = 0; u < exam->n_users; u++) {
        exam->offsets[u + 1] += exam->offsets[u];
        next[u] = exam->offsets[u];
    }
    exam->n_cases = (size_t)exam->offsets[exam->n_users];
    for (size_t s = 0; s < exam->n_sittings; s++) {
        struct exam_sitting *sitting = &exam->sittings[s];
        for (size_t a = 0; a < sitting->n; a++) {
            sitting->cases[a] = (int32_t)next[sitting->places[a]]++;
        }
    }
done:
    mem_free(next);
    return code;
}

enum status_code exam_thin(const struct exam *exam, size_t most_cases, enum exam_users users,
                           struct exam *out, struct status *status)
{
    struct exam made = *exam;
    int32_t *place = NULL;
    enum status_code code;
    made.sittings = NULL;
    made.offsets = NULL;
    made.shares_memory = true;
    TRY(MEM_NEW(&place, exam->dataset->n_users, status));
    TRY(MEM_NEW(&made.sittings, exam->n_sittings, status));
    TRY(number_users(exam, most_cases, users, place, &made.n_users, status));
    for (size_t s = 0; s < exam->n_sittings; s++) {
        TRY(take_cases(&exam->sittings[s], place, &made.sittings[s], status));
    }
    TRY(number_cases(&made, status));
    *out = made;
    made = (struct exam){0};
done:
    mem_free(place);
    exam_release(&made);
    return code;
}

/* Leaves out cases where there are more than most_cases, for each costs time. Every user keeps the
 * same share of his, at least one, evenly taken. */
static enum status_code ask_less_often(struct exam *exam, size_t most_cases, struct status *status)
{
    uint8_t *stays = NULL;
    const size_t n_cases = exam->n_cases;
    enum status_code code;
    TRY(MEM_NEW(&stays, n_cases, status));
    for (size_t u = 0; u < exam->n_users; u++) {
        const size_t first = (size_t)exam->offsets[u], n = (size_t)exam->offsets[u + 1] - first;
        const size_t part = n_cases > most_cases ? n * most_cases / n_cases : n;
        const size_t share = part > 0 ? part : 1;
        for (size_t i = 0; i < share; i++) {
            stays[first + (u + i * n / share) % n] = 1;
        }
    }
    for (size_t s = 0; s < exam->n_sittings; s++) {
        struct exam_sitting *sitting = &exam->sittings[s];
        size_t n = 0;
        for (size_t a = 0; a < sitting->n; a++) {
            if (stays[sitting->cases[a]]) {
                sitting->rows[n] = sitting->rows[a];
                sitting->users[n] = sitting->users[a];
                sitting->places[n++] = sitting->places[a];
            }
        }
        sitting->n = n;
    }
    mem_free(exam->offsets);
    exam->offsets = NULL;
    TRY(number_cases(exam, status));
done:
    mem_free(stays);
    return code;
}

/* ---- sittings ---- */

/* n cases, whose users and rows are given; rows NULL: 0, 1, ... */
static enum status_code fill_cases(struct exam_sitting *sitting, const int32_t *users,
                                   const int32_t *rows, size_t n, struct status *status)
{
    enum status_code code;
    TRY(MEM_NEW(&sitting->users, n, status));
    TRY(MEM_NEW(&sitting->rows, n, status));
    for (size_t a = 0; a < n; a++) {
        sitting->users[a] = users[a];
        sitting->rows[a] = rows == NULL ? (int32_t)a : rows[a];
    }
    sitting->n = n;
done:
    return code;
}

static enum status_code ask_once(struct exam *exam, const struct validation *validation,
                                 struct status *status)
{
    struct exam_sitting *sitting = &exam->sittings[exam->n_sittings++];
    sitting->histories = &validation->dataset->train;
    sitting->held_out = &validation->dataset->valid;
    sitting->unknown = validation->dataset->valid_unknown;
    sitting->exclude = validation_excluded(validation);
    return fill_cases(sitting, validation->users, validation->users, validation->n_users, status);
}

static enum status_code ask_on(struct exam *exam, const struct evening_source *source, int64_t time,
                               struct status *status)
{
    struct exam_memory *memory = exam->memory;
    struct evening *evening = &memory->evenings[memory->n_evenings];
    struct sparse *excluded = &memory->excluded[memory->n_evenings];
    struct exam_sitting *sitting = &exam->sittings[exam->n_sittings];
    struct sparse barred = {0};
    enum status_code code;
    TRY(evening_init(evening, source, time, status));
    memory->n_evenings++;
    const size_t n = evening->dataset.n_users;
    if (source->barred->n_rows > 0) {
        TRY(sparse_gather(source->barred, evening->rows, n, &barred, status));
    }
    TRY(dataset_excluded(&evening->dataset, &barred, excluded, status));
    sitting->histories = &evening->dataset.train;
    sitting->held_out = &evening->dataset.test;
    sitting->unknown = evening->unknown;
    sitting->exclude = excluded->n_rows > 0 ? excluded : &evening->dataset.train.matrix;
    sitting->evening = evening;
    size_t n_all = n;
    TRY(ranks_sum_count(exam->crowd.ranks, &n_all, status));
    if (n_all > 0) {
        exam->n_sittings++;
        TRY(fill_cases(sitting, evening->rows, NULL, n, status));
    }
done:
    sparse_release(&barred);
    return code;
}

/* The days that a validation part cut by time has. */
struct exam_days {
    size_t n;        /* whole ones behind the train part; 0: it was not cut by time */
    int64_t newest;  /* time of the part */
    size_t n_events; /* late ones, of all ranks */
};

static enum status_code find_days(const struct exam *exam, const struct late_events *events,
                                  struct exam_days *days, struct status *status)
{
    int64_t newest = INT64_MIN, before_oldest = INT64_MIN;
    size_t n_events = events->n;
    enum status_code code;
    for (size_t e = 0; e < events->n; e++) {
        if ((events->parts[e] & PART_VALID) != 0) {
            const int64_t time = events->times[e];
            newest = time > newest ? time : newest;
            before_oldest = -1 - time > before_oldest ? -1 - time : before_oldest;
        }
    }
    TRY(ranks_max_int64(exam->crowd.ranks, &newest, 1, status));
    TRY(ranks_max_int64(exam->crowd.ranks, &before_oldest, 1, status));
    TRY(ranks_sum_count(exam->crowd.ranks, &n_events, status));
    const int64_t oldest = -1 - before_oldest;
    *days = (struct exam_days){0, newest, n_events};
    if (oldest > exam->trained && oldest <= newest) {
        days->n = (size_t)((newest - exam->trained) / CLOCK_DAY);
    }
done:
    return code;
}

static enum status_code ask_evenings(struct exam *exam, const struct evening_source *evenings,
                                     const struct validation *validation, struct status *status)
{
    struct evening_source source = *evenings;
    uint8_t *wanted = NULL;
    struct exam_days days;
    enum status_code code;
    TRY(find_days(exam, source.events, &days, status));
    const size_t affordable = MOST_CHANGES / (days.n_events + 1);
    size_t n = affordable > LEAST_EVENINGS ? affordable : LEAST_EVENINGS;
    n = n < MOST_EVENINGS ? n : MOST_EVENINGS;
    n = n < days.n ? n : days.n;
    TRY(MEM_NEW(&wanted, exam->dataset->n_users, status));
    TRY(MEM_NEW(&exam->memory->evenings, n, status));
    TRY(MEM_NEW(&exam->memory->excluded, n, status));
    for (size_t u = 0; u < validation->n_users; u++) {
        wanted[validation->users[u]] = 1;
    }
    source.wanted = wanted;
    for (size_t e = 0; e < n; e++) {
        const size_t day = days.n - e * days.n / n; /* evenly taken */
        TRY(ask_on(exam, &source, days.newest + 1 - (int64_t)day * CLOCK_DAY, status));
    }
done:
    mem_free(wanted);
    return code;
}

enum status_code exam_init(struct exam *exam, const struct validation *validation,
                           const struct evening_source *evenings, struct status *status)
{
    struct exam all = {.dataset = validation->dataset,
                       .crowd = validation->crowd,
                       .metric = validation->metric,
                       .k = validation->k,
                       .tie_rank = validation->tie_rank,
                       .trained = dataset_totals(validation->dataset).newest};
    struct exam made = {0};
    enum status_code code;
    TRY(MEM_NEW(&all.memory, 1, status));
    TRY(MEM_NEW(&all.sittings, MOST_EVENINGS, status));
    if (evenings != NULL) {
        TRY(ask_evenings(&all, evenings, validation, status));
    }
    if (all.n_sittings == 0) {
        TRY(ask_once(&all, validation, status));
    }
    TRY(exam_thin(&all, SIZE_MAX, EXAM_ALL, &made, status));
    TRY(ask_less_often(&made, validation->n_all, status));
    made.shares_memory = false;
    all.shares_memory = true;
    *exam = made;
done:
    exam_release(&all);
    return code;
}

/* ---- what a sitting knows ---- */

enum status_code exam_popularity(const struct exam *exam, const struct exam_sitting *sitting,
                                 double half_life, double *p, struct status *status)
{
    struct exam_memory *memory = exam->memory;
    const size_t n_items = exam->dataset->n_items;
    size_t h = 0;
    enum status_code code = STATUS_OK;
    while (h < memory->n_kept && memory->half_lives[h] != half_life) {
        h++;
    }
    if (h < memory->n_kept) {
        memcpy(p, memory->popularity[h], n_items * sizeof *p);
    } else {
        TRY(crowd_popularity(&exam->crowd, &exam->dataset->train, half_life, p, status));
    }
    if (h == memory->n_kept && h < HALF_LIVES_KEPT) {
        TRY(MEM_NEW(&memory->popularity[h], n_items, status));
        memcpy(memory->popularity[h], p, n_items * sizeof *p);
        memory->half_lives[h] = half_life;
        memory->n_kept++;
    }
    if (sitting->evening != NULL) {
        TRY(evening_popularity(sitting->evening, half_life, exam->trained, p, status));
    }
done:
    return code;
}

enum status_code exam_score(const struct exam *exam, const struct exam_sitting *sitting,
                            const struct exam_scoring *scoring, const struct score_weights *weights,
                            struct score *score, struct status *status)
{
    double *p = NULL;
    enum status_code code;
    const int64_t now = sitting->evening == NULL ? exam->trained : sitting->evening->now;
    TRY(MEM_NEW(&p, exam->dataset->n_items, status));
    TRY(exam_popularity(exam, sitting, weights->half_life, p, status));
    TRY(score_init_at(score, scoring->embeddings, exam->dataset->repeats, &scoring->sources,
                      sitting->histories, weights, p, now, status));
done:
    mem_free(p);
    return code;
}

size_t exam_list_length(const struct exam *exam)
{
    return exam->k < exam->dataset->n_items ? exam->k : exam->dataset->n_items;
}

struct ranking exam_ranking(const struct exam *exam, const struct exam_sitting *sitting,
                            const struct embeddings *embeddings, size_t first, size_t n,
                            float *anchors)
{
    matrix_gather(embeddings->users, sitting->users + first, n, anchors);
    return (struct ranking){.anchors = const_matrix_of(anchors, n, embeddings->users.columns),
                            .candidates = embeddings->items,
                            .exclude = sitting->exclude,
                            .exclude_rows = sitting->rows + first,
                            .tie_rank = exam->tie_rank,
                            .k = exam_list_length(exam)};
}

void exam_add(const struct exam *exam, const struct exam_sitting *sitting, size_t first, size_t n,
              const int32_t *lists, size_t list_k, double *values)
{
    const double share = (double)exam->n_users / (double)exam->n_cases;
    for (size_t a = 0; a < n; a++) {
        double value;
        metric_per_user(exam->metric, exam->k, lists + a * list_k, list_k,
                        &sitting->rows[first + a], 1, &sitting->held_out->matrix, sitting->unknown,
                        &value);
        values[sitting->places[first + a]] += share * value;
    }
}
