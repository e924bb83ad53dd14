/* Names that follow from those in the configuration. */
#include "run/written_files.h"

#include "base/path.h"
#include "config/plan.h"
#include "ranks/ranks.h"

#include <string.h>

static void beside(const char *work, const char *ending, struct buf *path)
{
    static const char usual[] = ".work.db";
    size_t length = strlen(work);
    if (length > strlen(usual) && strcmp(work + length - strlen(usual), usual) == 0) {
        length -= strlen(usual);
    }
    buf_add(path, work, length);
    buf_add_text(path, ending);
}

void written_tune_database(const char *work, struct buf *path)
{
    beside(work, ".tune.db", path);
}

void written_tune_lock(const char *work, struct buf *path)
{
    written_tune_database(work, path);
    buf_add_text(path, ".search.lock"); /* the runner locks each trial by itself */
}

void written_backtest_work(const char *work, struct buf *path)
{
    beside(work, ".backtest.work.db", path);
}

void written_backtest_output(const char *work, struct buf *path)
{
    beside(work, ".backtest.db", path);
}

enum status_code written_rank_works(const char *work, struct strings *paths, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf path = {0};
    for (size_t n = 2; n <= RANKS_MAX; n *= 2) {
        for (size_t rank = 1; rank < n; rank++) {
            buf_clear(&path);
            plan_rank_work(work, rank, n, &path);
            TRY(buf_check(&path, status));
            if (!path_is_empty(buf_text(&path))) {
                TRY(strings_add(paths, buf_text(&path), path.length + 1, status));
            }
        }
    }
done:
    buf_release(&path);
    return code;
}
