/* Every file that nightjar writes, and what of people stands in it. `forget` goes through this
 * list; whoever writes a file of another kind adds it here.
 *
 *   output.database             lists, reasons, embeddings: the person's rows are erased
 *   work.database               the log and all that was made of it, rejected rows: emptied but for
 *                               the history of runs, whose messages keep no value of a row
 *   WORK.rank-R-of-N            (plan_rank_work) the same, of the users of another rank: what
 *                               stands on this machine
 *   NAME.tune.db                the same, of the trials of `tune`
 *   NAME.backtest.work.db       the same, of an evening of `backtest`, which removes it
 *   NAME.backtest.db            the lists of that evening, likewise; its rows are erased
 *   their -wal, -shm, -journal  emptied with them
 *   spill files                 have no name, and end with the process
 *   .lock, .search.lock         a process id
 *   report page, metrics file   figures, and items where report.items asks for them: no people
 *   log file                    messages without the values of rows (PRIVATE_BEGIN)
 *   the file that tune writes   settings
 *   the files of export         copies of lists and vectors, which are yours to delete
 *   PATH.partial                one of these, before it is complete
 *   DATABASE of import          the rows of a file of yours, TABLE_rejected among them: as every
 *                               table of the source they are yours to delete
 */
#ifndef NIGHTJAR_RUN_WRITTEN_FILES_H
#define NIGHTJAR_RUN_WRITTEN_FILES_H

#include "base/buf.h"
#include "base/strings.h"

/* "shop.work.db" -> "shop.tune.db", other names get ".tune.db" behind. */
void written_tune_database(const char *work, struct buf *path);
/* Whose lock keeps two searches apart. */
void written_tune_lock(const char *work, struct buf *path);
/* "shop.work.db" -> "shop.backtest.work.db" and "shop.backtest.db". The lock of the second keeps
 * two backtests apart. */
void written_backtest_work(const char *work, struct buf *path);
void written_backtest_output(const char *work, struct buf *path);
/* Adds the work databases of ranks that ran on this machine, however many there were,
 * each with the 0 at its end. */
MUST_CHECK enum status_code written_rank_works(const char *work, struct strings *paths,
                                               struct status *status);

#endif
