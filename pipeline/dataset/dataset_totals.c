/* The totals as numbers of the artifact. */
#include "dataset/dataset_totals.h"

struct total {
    char name[ARTIFACT_NAME_MAX];
    int64_t *value;
};

enum { N_TOTALS = 8 };

static void list_totals(struct dataset_totals *totals, const char *prefix,
                        struct total list[N_TOTALS])
{
    const struct {
        const char *name;
        int64_t *value;
    } all[N_TOTALS] = {{"users", &totals->users},
                       {"pairs", &totals->pairs},
                       {"valid_pairs", &totals->valid_pairs},
                       {"test_pairs", &totals->test_pairs},
                       {"cold_users", &totals->cold_users},
                       {"cold_user_pairs", &totals->cold_user_pairs},
                       {"cold_item_pairs", &totals->cold_item_pairs},
                       {"newest", &totals->newest}};
    for (size_t i = 0; i < N_TOTALS; i++) {
        snprintf(list[i].name, sizeof list[i].name, "%s.totals.%s", prefix, all[i].name);
        list[i].value = all[i].value;
    }
}

enum status_code dataset_totals_save(const struct dataset_totals *totals, struct artifact *artifact,
                                     const char *prefix, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct dataset_totals copy = *totals;
    struct total list[N_TOTALS];
    list_totals(&copy, prefix, list);
    for (size_t i = 0; totals->counts != NULL && i < N_TOTALS; i++) {
        TRY(artifact_set_number(artifact, list[i].name, (double)*list[i].value, status));
    }
done:
    return code;
}

enum status_code dataset_totals_load(struct dataset_totals *totals, const struct artifact *artifact,
                                     const char *prefix, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct dataset_totals made = {0};
    struct total list[N_TOTALS];
    list_totals(&made, prefix, list);
    for (size_t i = 0; i < N_TOTALS && artifact_find(artifact, list[i].name) != NULL; i++) {
        double value;
        TRY(artifact_get_number(artifact, list[i].name, &value, status));
        *list[i].value = (int64_t)value;
    }
    *totals = made;
done:
    return code;
}
