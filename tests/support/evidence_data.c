/* Evidence out of pairs_item_item, whose own tests stand in test_item_pairs.c. */
#include "tests/support/evidence_data.h"

#include "pairs/item_pairs.h"
#include "pairs/pair_artifact.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int degree_normalised(void)
{
    int weighting = 0;
    while (strcmp(pair_weighting_names[weighting], "degree_normalised") != 0) {
        weighting++;
    }
    return weighting;
}

void evidence_data_init(struct evidence_data *data, const struct dataset *dataset, enum basis basis,
                        size_t top)
{
    struct status status = {0};
    struct sparse pairs = {0};
    bool found = false;
    const struct pair_settings settings = {
        .window = PAIR_WHOLE_HISTORY, .weighting = degree_normalised(), .min_count = 1, .top = top};
    *data = (struct evidence_data){0};
    assert_int_equal(pairs_item_item(&dataset->train, &settings, NULL, &pairs, &status), STATUS_OK);
    artifact_init(&data->artifact, "evidence");
    assert_int_equal(sparse_save(&pairs, &data->artifact, pairs_evidence_slots[basis], &status),
                     STATUS_OK);
    assert_int_equal(evidence_load(&data->evidence, EVIDENCE_CO_INTERACTION, &data->artifact, basis,
                                   dataset, &found, &status),
                     STATUS_OK);
    assert_true(found);
}

void evidence_data_release(struct evidence_data *data)
{
    evidence_release(&data->evidence);
    artifact_release(&data->artifact);
}

static double users_of(const struct dataset *dataset, size_t item)
{
    double users = 0;
    for (size_t u = 0; u < dataset->n_users; u++) {
        users += sparse_has(&dataset->train.matrix, u, (int32_t)item) ? 1 : 0;
    }
    return fmax(users, 1);
}

double naive_evidence(const struct evidence_data *data, const struct dataset *dataset,
                      const struct sparse *histories, size_t row, size_t item, double exponent)
{
    const struct sparse *pairs = &data->evidence.pairs;
    double sum = 0;
    for (size_t h = 0; h < dataset->n_items; h++) {
        if (!sparse_has(histories, row, (int32_t)h)) {
            continue;
        }
        for (int64_t e = pairs->offsets[h]; e < pairs->offsets[h + 1]; e++) {
            if ((size_t)pairs->columns[e] == item) {
                sum += (double)pairs->values[e] / sqrt(users_of(dataset, h));
            }
        }
    }
    return sum * pow(users_of(dataset, item), exponent);
}

double naive_share(const struct evidence_data *data, const struct dataset *dataset,
                   const struct sparse *histories, size_t row, size_t item, double exponent)
{
    double most = 0;
    for (size_t i = 0; i < dataset->n_items; i++) {
        if (!sparse_has(histories, row, (int32_t)i)) {
            most = fmax(most, naive_evidence(data, dataset, histories, row, i, exponent));
        }
    }
    return most > 0 ? naive_evidence(data, dataset, histories, row, item, exponent) / most : 0;
}
