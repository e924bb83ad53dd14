/* Sorting the candidates of a step by their owners. */
#include "training/item_request.h"

#include "ranks/shards.h"

enum status_code item_request_make(struct item_request *request, const struct ranks *ranks,
                                   const struct candidate_set *set, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n_ranks = ranks_n(ranks), n_shared = set->n_negatives;
    size_t next[RANKS_MAX] = {0}, counts[RANKS_MAX] = {0};
    request->set = set;
    workspace_begin(&request->workspace);
    WORKSPACE_ADD(&request->workspace, &request->owners, set->n);
    WORKSPACE_ADD(&request->workspace, &request->codes, set->n);
    WORKSPACE_ADD(&request->workspace, &request->shared, n_shared);
    WORKSPACE_ADD(&request->workspace, &request->asked, set->n - n_shared);
    TRY(workspace_reserve(&request->workspace, status));
    memset(request->n_shared, 0, sizeof request->n_shared);
    for (size_t c = 0; c < set->n; c++) {
        const size_t owner = shard_item_owner(ranks, (size_t)candidate_set_item(set, c));
        request->owners[c] = (uint8_t)owner;
        request->codes[c] =
            c < n_shared ? ~(int32_t)request->n_shared[owner]++ : (int32_t)counts[owner]++;
    }
    request->first_asked[0] = 0;
    for (size_t r = 0; r < n_ranks; r++) {
        next[r] = r == 0 ? 0 : next[r - 1] + request->n_shared[r - 1];
        request->first_asked[r + 1] = request->first_asked[r] + counts[r];
    }
    for (size_t c = 0; c < set->n; c++) {
        const size_t owner = request->owners[c];
        if (c < n_shared) {
            request->shared[next[owner] + (size_t)~request->codes[c]] = (int32_t)c;
        } else {
            request->asked[request->first_asked[owner] + (size_t)request->codes[c]] =
                candidate_set_item(set, c);
        }
    }
done:
    return code;
}
