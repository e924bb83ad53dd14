/* flock on a file that says who holds it. The file stays when the lock is gone: unlinking it would
 * let two processes hold locks on two files of one name. */
#include "store/lock.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/num.h"
#include "base/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { HOLDER_MAX = 128 };
/* Seconds: whoever only looks whether it is held (lock_is_held) has it for a moment. */
static const double glance = 0.05;

/* What the holder has written, for the message: "pid 123 since 2026-11-23T04:00:00Z". */
static void read_holder(int fd, char out[HOLDER_MAX])
{
    enum { TRIES = 50 };
    out[0] = '\0';
    /* it may be between its flock and its write */
    for (int i = 0; i < TRIES && out[0] == '\0'; i++) {
        const ssize_t length = pread(fd, out, HOLDER_MAX - 1, 0);
        out[length > 0 ? length : 0] = '\0';
        out[strcspn(out, "\n")] = '\0';
        if (out[0] == '\0') {
            (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        }
    }
    if (out[0] == '\0') {
        snprintf(out, HOLDER_MAX, "another process");
    }
}

/* Takes the lock, asking every tenth of a second: flock itself cannot wait for a limited time. */
static enum status_code take(int fd, const char *path, const struct lock_wait *wait,
                             struct status *status)
{
    char holder[HOLDER_MAX], waited[NUM_TEXT_MAX];
    const double seconds = wait != NULL ? wait->seconds : 0.0, start = clock_monotonic();
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return status_set_at(status, STATUS_IO, path, 0, 0, "cannot lock the file: %s",
                                 strerror(errno));
        }
        if (wait != NULL && wait->stop_signal != NULL && *wait->stop_signal != 0) {
            status->signal = *wait->stop_signal;
            return status_set(status, STATUS_SIGNAL,
                              "stopped by signal %d while another run held "
                              "the lock; nothing was done",
                              status->signal);
        }
        if (clock_monotonic() - start >= (seconds > glance ? seconds : glance)) {
            read_holder(fd, holder);
            num_format_duration(seconds, waited);
            return status_set_at(
                status, STATUS_BUSY, path, 0, 0,
                "another run holds the lock: %s%s%s; wait for its end%s or stop it", holder,
                seconds > 0.0 ? "; waited " : "", seconds > 0.0 ? waited : "",
                seconds > 0.0 ? "" : " (--wait 10m does)");
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    return STATUS_OK;
}

/* A word stands behind a line end, a holder's line in front of one. */
static void read_word(int fd, char out[LOCK_WORD_MAX])
{
    char text[LOCK_WORD_MAX];
    const ssize_t length = pread(fd, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = '\0';
    snprintf(out, LOCK_WORD_MAX, "%s", text[0] == '\n' ? text + 1 : "");
}

enum status_code lock_acquire(const char *path, const struct lock_wait *wait, struct lock *lock,
                              struct status *status)
{
    enum status_code code;
    char text[HOLDER_MAX], since[CLOCK_TEXT_MAX];
    lock->fd = -1;
    lock->word[0] = '\0';
    int fd = -1;
    TRY(output_file_open(path, OUTPUT_UPDATE, OUTPUT_SHARED, "the lock file", &fd, status));
    TRY(take(fd, path, wait, status));
    read_word(fd, lock->word);
    clock_format(clock_unix(), since);
    int length = snprintf(text, sizeof text, "pid %ld since %s\n", (long)getpid(), since);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length) {
        TRY(status_set_at(status, STATUS_IO, path, 0, 0, "cannot write the lock file: %s",
                          strerror(errno)));
    }
    lock->fd = fd;
    fd = -1;
done:
    if (fd >= 0) {
        close(fd);
    }
    return code;
}

enum status_code lock_pipeline(const char *database, const struct lock_wait *wait,
                               struct lock *lock, struct status *status)
{
    enum status_code code;
    struct buf path = {0};
    lock->fd = -1;
    buf_addf(&path, "%s.lock", database);
    TRY(buf_check(&path, status));
    code = lock_acquire(buf_text(&path), wait, lock, status);
    if (code == STATUS_CANNOT_CREATE) {
        status_add_line(status, "the work database, which it stands beside, may be named by "
                                "work.database, in a folder where nightjar may write");
    }
done:
    buf_release(&path);
    return code;
}

bool lock_is_held(const char *database)
{
    struct buf path = {0};
    buf_addf(&path, "%s.lock", database);
    const int fd = path.failed ? -1 : open(buf_text(&path), O_RDONLY | O_CLOEXEC);
    const bool is_missing = !path.failed && fd < 0 && errno == ENOENT;
    const bool is_free = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0;
    if (fd >= 0) {
        close(fd);
    }
    buf_release(&path);
    return !is_missing && !is_free;
}

void lock_leave_word(struct lock *lock, const char *word)
{
    snprintf(lock->word, sizeof lock->word, "%s", word);
}

void lock_read_word(const char *database, char out[LOCK_WORD_MAX])
{
    struct buf path = {0};
    buf_addf(&path, "%s.lock", database);
    const int fd = path.failed ? -1 : open(buf_text(&path), O_RDONLY | O_CLOEXEC);
    out[0] = '\0';
    if (fd >= 0) {
        read_word(fd, out);
        close(fd);
    }
    buf_release(&path);
}

void lock_release(struct lock *lock)
{
    if (lock->fd >= 0) {
        /* a file without a first line says that nobody holds it; failing to empty it changes
           nothing */
        char text[LOCK_WORD_MAX + 1];
        const int length = snprintf(text, sizeof text, "\n%s", lock->word);
        const bool has_word =
            lock->word[0] != '\0' && pwrite(lock->fd, text, (size_t)length, 0) == (ssize_t)length;
        int ignored = ftruncate(lock->fd, has_word ? length : 0);
        (void)ignored;
        close(lock->fd);
        lock->fd = -1;
    }
}
