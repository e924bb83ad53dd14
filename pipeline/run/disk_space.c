/* Free space of the file systems under the work and the output database. */
#include "run/disk_space.h"

#include "base/num.h"

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
    if (db == NULL) {
        return STATUS_OK;
    }
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
    if (need <= 0.0) {
        return status_set_at(status, STATUS_IO, file, 0, 0,
                             "%s of disk are free here and %s of them shall stay so "
                             "(disk_reserve); make room",
                             free_text, reserve_text);
    }
    return status_set_at(status, STATUS_IO, file, 0, 0,
                         "the run needs about %s of disk here, %s are free and %s of them shall "
                         "stay so (disk_reserve); make room, or keep and publish less (`nightjar "
                         "plan` shows every stage's need)",
                         need_text, free_text, reserve_text);
}

void disk_need_add(struct disk_need *need, const struct stage_estimate *estimate)
{
    need->work += estimate->disk_bytes;
    need->output += 2.0 * estimate->output_bytes;
}

enum status_code disk_space_check(const struct plan *plan, struct db *work, struct db *output,
                                  const struct disk_need *need, struct status *status)
{
    const struct plan_settings *settings = &plan->settings;
    const double reserve = (double)settings->disk_reserve;
    const char *work_file = settings->work.database, *output_file = settings->output.database;
    double work_free = 0.0, output_free = 0.0, output_need = need->output;
    dev_t work_device = 0, output_device = 0;
    bool is_one_device = false;
    enum status_code code = STATUS_OK;
    if (output_file != NULL && output_need > 0.0 &&
        space_of(output_file, &output_free, &output_device)) {
        TRY(free_pages(output, &output_free, status));
        is_one_device =
            space_of(work_file, &work_free, &work_device) && work_device == output_device;
        if (is_one_device) {
            output_need += need->work;
            TRY(free_pages(work, &output_free, status));
        }
        if (output_free - output_need < reserve) {
            TRY(refuse(output_file, output_need, output_free, reserve, status));
        }
    }
    if (!is_one_device && space_of(work_file, &work_free, &work_device)) {
        TRY(free_pages(work, &work_free, status));
        if (work_free - need->work < reserve) {
            TRY(refuse(work_file, need->work, work_free, reserve, status));
        }
    }
done:
    return code;
}
