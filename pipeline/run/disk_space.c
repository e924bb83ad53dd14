/* Free space of the file systems under the work and the output database. */
#include "run/disk_space.h"

#include "base/num.h"
#include "run/context_databases.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* The folder of a file that may not be there yet. */
static bool space_of(const char *file, double *free_bytes, dev_t *device)
{
    char folder[STATUS_FILE_MAX];
    struct statvfs space;
    struct stat entry;
    const char *slash = strrchr(file, '/');
    snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 1 : (int)(slash - file) + 1,
             slash == NULL ? "." : file);
    if (statvfs(folder, &space) != 0 || space.f_blocks == 0 || stat(folder, &entry) != 0) {
        return false;
    }
    *free_bytes = (double)space.f_bavail * (double)space.f_frsize;
    *device = entry.st_dev;
    return true;
}

static enum status_code free_pages(struct db *db, double *bytes, struct status *status)
{
    int64_t n = 0;
    bool found;
    enum status_code code = db_get_int64(
        db, "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size", &n,
        &found, status);
    *bytes += found ? (double)n : 0.0;
    return code;
}

static enum status_code refuse(const char *file, double need, double free_bytes, double reserve,
                               struct status *status)
{
    char need_text[NUM_TEXT_MAX], free_text[NUM_TEXT_MAX], reserve_text[NUM_TEXT_MAX];
    num_format_bytes(need, need_text);
    num_format_bytes(free_bytes, free_text);
    num_format_bytes(reserve, reserve_text);
    return status_set_at(status, STATUS_IO, file, 0, 0,
                         "the run needs about %s of disk here, %s are free and %s of them shall "
                         "stay so (disk_reserve); make room, or keep and publish less (`nightjar "
                         "plan` shows every stage's need)",
                         need_text, free_text, reserve_text);
}

enum status_code disk_space_check(struct context *context, const struct disk_need *need,
                                  struct status *status)
{
    const struct plan_settings *settings = context_settings(context);
    const double reserve = (double)settings->disk_reserve;
    const char *work_file = settings->work.database, *output_file = settings->output.database;
    double work_free = 0.0, output_free = 0.0, work_need = need->work, output_need = need->output;
    dev_t work_device = 0, output_device = 0;
    struct db *output = NULL;
    enum status_code code = STATUS_OK;
    if (output_file != NULL && output_need > 0.0 && ranks_is_first(context_ranks(context)) &&
        space_of(output_file, &output_free, &output_device)) {
        TRY(context_published_db(context, &output, status));
        if (output != NULL) {
            TRY(free_pages(output, &output_free, status));
        }
        if (space_of(work_file, &work_free, &work_device) && work_device == output_device) {
            output_need += work_need;
            work_need = 0.0;
            TRY(free_pages(context_work(context), &output_free, status));
        }
        if (output_free - output_need < reserve) {
            TRY(refuse(output_file, output_need, output_free, reserve, status));
        }
    }
    if (work_need > 0.0 && space_of(work_file, &work_free, &work_device)) {
        TRY(free_pages(context_work(context), &work_free, status));
        if (work_free - work_need < reserve) {
            TRY(refuse(work_file, work_need, work_free, reserve, status));
        }
    }
done:
    db_close(output);
    return code;
}
