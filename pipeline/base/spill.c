/* A spilled block is a shared mapping of a file that has lost its name: dirty pages go to the file,
 * and the file goes with the mapping, whatever becomes of the process. */
#define _DEFAULT_SOURCE /* madvise: the POSIX one keeps the pages */
#include "base/spill.h"

#include "base/mem.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

struct spilled {
    void *block;
    size_t bytes;
    struct spilled *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct spilled *all;
static atomic_size_t n_spilled;
static atomic_size_t least = (size_t)256 << 20;

size_t spill_set_least(size_t bytes)
{
    return atomic_exchange(&least, bytes);
}

static enum status_code failed(const char *file, size_t bytes, int problem, struct status *status)
{
    char text[NUM_TEXT_MAX];
    num_format_bytes((double)bytes, text);
    return status_set_at(status, STATUS_IO, file, 0, 0, "no file of %s in this folder: %s", text,
                         strerror(problem));
}

/* *fd = a file without a name, with room for `bytes`. */
static enum status_code open_file(const char *beside, size_t bytes, int *fd, struct status *status)
{
    char name[STATUS_FILE_MAX];
    const int length = snprintf(name, sizeof name, "%s.spill.XXXXXX", beside);
    if (length < 0 || (size_t)length >= sizeof name) {
        return failed(beside, bytes, ENAMETOOLONG, status);
    }
    *fd = mkstemp(name);
    if (*fd < 0) {
        return failed(beside, bytes, errno, status);
    }
    unlink(name);
    int problem;
    do {
        problem = posix_fallocate(*fd, 0, (off_t)bytes);
    } while (problem == EINTR);
    if (problem != 0) {
        close(*fd);
        return failed(beside, bytes, problem, status);
    }
    return STATUS_OK;
}

static enum status_code map_file(const char *beside, size_t bytes, struct spilled *entry,
                                 struct status *status)
{
    int fd = -1;
    enum status_code code = open_file(beside, bytes, &fd, status);
    if (code != STATUS_OK) {
        return code;
    }
    void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    const int problem = errno;
    close(fd);
    if (block == MAP_FAILED) {
        return failed(beside, bytes, problem, status);
    }
    *entry = (struct spilled){.block = block, .bytes = bytes};
    return STATUS_OK;
}

enum status_code spill_new(const char *beside, size_t count, size_t size, void **out,
                           struct status *status)
{
    struct spilled *entry = NULL;
    size_t bytes = 0;
    enum status_code code;
    if (beside == NULL || !num_multiply(count, size, &bytes) || bytes < atomic_load(&least) ||
        bytes == 0) {
        return mem_new(count, size, out, status);
    }
    TRY(MEM_NEW(&entry, 1, status));
    TRY(map_file(beside, bytes, entry, status));
    *out = entry->block;
    pthread_mutex_lock(&lock);
    entry->next = all;
    all = entry;
    atomic_fetch_add(&n_spilled, 1);
    pthread_mutex_unlock(&lock);
    entry = NULL;
done:
    mem_free(entry);
    return code;
}

/* The place of a block's entry, *place NULL when it has none; under the lock. */
static struct spilled **find(const void *block)
{
    struct spilled **place = &all;
    while (*place != NULL && (*place)->block != block) {
        place = &(*place)->next;
    }
    return place;
}

void spill_rest(void *block)
{
    if (block == NULL || atomic_load(&n_spilled) == 0) {
        return;
    }
    pthread_mutex_lock(&lock);
    const struct spilled *entry = *find(block);
    if (entry != NULL) {
        (void)madvise(entry->block, entry->bytes, MADV_DONTNEED);
    }
    pthread_mutex_unlock(&lock);
}

bool spill_has(const void *block)
{
    if (block == NULL || atomic_load(&n_spilled) == 0) {
        return false;
    }
    pthread_mutex_lock(&lock);
    const bool found = *find(block) != NULL;
    pthread_mutex_unlock(&lock);
    return found;
}

bool spill_free(void *block)
{
    if (block == NULL || atomic_load(&n_spilled) == 0) {
        return false;
    }
    pthread_mutex_lock(&lock);
    struct spilled **place = find(block), *entry = *place;
    if (entry != NULL) {
        *place = entry->next;
        atomic_fetch_sub(&n_spilled, 1);
        munmap(entry->block, entry->bytes);
    }
    pthread_mutex_unlock(&lock);
    mem_free(entry); /* not itself spilled, so it ends here */
    return entry != NULL;
}
