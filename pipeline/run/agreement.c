/* Agreements of the ranks of a run, each by one exchange. What ranks have to say to one another
 * within a stage is the stage's business. */
#include "run/agreement.h"

enum status_code agreement(const struct context *context, enum status_code code,
                           struct status *status)
{
    struct ranks *ranks = context->request->ranks;
    struct status first = {0};
    if (code != STATUS_OK) {
        (void)ranks_leave(ranks, status);
    }
    if (ranks_agree(ranks, &first) != STATUS_OK) {
        *status = first;
    }
    return status->code;
}

enum status_code agreement_on_cut(struct context *context, struct status *status)
{
    return ranks_any(context->request->ranks, &context->is_cut_short, status);
}

enum status_code agreement_on_verdict(const struct context *context,
                                      const struct cache_state *before, enum cache_verdict *verdict,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    const int64_t mine[] = {*verdict, before->run};
    int64_t most[] = {mine[0], mine[1], -mine[0], -mine[1]};
    TRY(ranks_max_int64(context->request->ranks, most, 4, status));
    if (most[0] != -most[2] || most[1] != -most[3]) {
        *verdict = CACHE_RUN;
    }
done:
    return code;
}

enum status_code agreement_on_cpu(const struct context *context, enum status_code code,
                                  double *seconds, struct status *status)
{
    static const double second = 1e6; /* microseconds: a sum of whole numbers */
    int64_t sum = (int64_t)(*seconds * second);
    if (code == STATUS_OK) {
        code = ranks_sum_int64(context->request->ranks, &sum, 1, status);
        *seconds = (double)sum / second;
    }
    return code;
}

void agreement_tell(const struct context *context, const struct ranks_traffic *before)
{
    const struct run_request *request = context->request;
    const struct ranks_traffic now = ranks_traffic(request->ranks);
    if (now.calls > before->calls) {
        log_write(request->log, LOG_DEBUG,
                  "%s: this rank sent %lld bytes and waited %.3f s in %lld exchanges",
                  context->stage->label, (long long)(now.bytes - before->bytes),
                  now.waited - before->waited, (long long)(now.calls - before->calls));
    }
}
