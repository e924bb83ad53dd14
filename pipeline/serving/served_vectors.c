/* Where each served code's vector is, then one pass over the codes. */
#include "serving/served_vectors.h"

#include "base/mem.h"
#include "base/num.h"
#include "publishing/publish_content.h"

#include <string.h>

/* index_of (ids->ids.n) = where the vector of a served code is, cold ones behind known ones; -1 */
static enum status_code index_vectors(const struct served_vector_parts *parts,
                                      const struct served_ids *ids, int32_t **index_of,
                                      struct status *status)
{
    size_t n_known = parts->known.rows;
    enum status_code code;
    TRY(MEM_NEW(index_of, ids->ids.n, status));
    for (size_t s = 0; s < ids->ids.n; s++) {
        (*index_of)[s] = -1;
    }
    for (size_t i = 0; i < n_known; i++) {
        (*index_of)[ids->served_of[parts->known_codes[i]]] = (int32_t)i;
    }
    for (size_t i = 0; i < parts->cold.rows; i++) {
        int32_t cold = parts->cold_codes[i];
        (*index_of)[parts->cold_are_sources ? ids->served_of[cold] : cold] = (int32_t)(n_known + i);
    }
done:
    return code;
}

enum status_code served_vectors_merge(const struct served_vector_parts *parts,
                                      const struct served_ids *ids, struct served_vectors *out,
                                      struct status *status)
{
    size_t d = parts->known.columns, n_known = parts->known.rows;
    size_t n = n_known + parts->cold.rows, n_elements;
    int32_t *index_of = NULL;
    enum status_code code;
    if (!num_multiply(n, d, &n_elements)) {
        TRY(status_set(status, STATUS_NO_MEMORY, "publish: %zu vectors are too many", n));
    }
    TRY(index_vectors(parts, ids, &index_of, status));
    TRY(MEM_NEW(&out->codes, n, status));
    TRY(MEM_NEW(&out->values, n_elements, status));
    TRY(MEM_NEW(&out->bias, parts->bias == NULL ? 0 : n, status));
    TRY(MEM_NEW(&out->sources, n, status));
    for (size_t s = 0; s < ids->ids.n; s++) {
        if (index_of[s] < 0) {
            continue;
        }
        size_t index = (size_t)index_of[s], at = out->n++;
        const struct const_matrix *from = index < n_known ? &parts->known : &parts->cold;
        size_t row = index < n_known ? index : index - n_known;
        memcpy(out->values + at * d, from->data + row * from->stride, d * sizeof *out->values);
        out->codes[at] = (int32_t)s;
        out->sources[at] = (uint8_t)(index < n_known ? PUBLISH_MODEL : PUBLISH_COLD);
        if (parts->bias != NULL) {
            out->bias[at] = parts->bias[index];
        }
    }
done:
    mem_free(index_of);
    return code;
}

void served_vectors_release(struct served_vectors *vectors)
{
    mem_free(vectors->codes);
    mem_free(vectors->values);
    mem_free(vectors->bias);
    mem_free(vectors->sources);
    *vectors = (struct served_vectors){0};
}
