/* Checked, zeroed, 64-byte aligned allocation. In front of each block stands a line that says where
 * it lies: a block in a file is a shared mapping of a file that has lost its name, so that dirty
 * pages go to the file, and the file goes with the mapping, whatever becomes of the process. */
#define _DEFAULT_SOURCE /* madvise: the POSIX one keeps the pages */
#include "base/mem.h"

#include "base/num.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MEM_ALIGNMENT = 64 };

/* The line in front of a block. */
struct head {
    size_t mapped; /* bytes of the mapping that begins here; 0: memory of the heap */
};

static struct head *head_of(const void *block)
{
    return (struct head *)((uintptr_t)block - MEM_ALIGNMENT);
}

double mem_of_machine(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (double)pages * (double)size : 0;
}

/* ---- on the heap ---- */

/* The block's contents are not cleared. */
static enum status_code allocate(size_t count, size_t size, void **out, size_t *bytes,
                                 struct status *status)
{
    size_t total = 0;
    if (!num_multiply(count, size, &total) || total > (size_t)PTRDIFF_MAX - 2 * MEM_ALIGNMENT) {
        return status_set(status, STATUS_NO_MEMORY,
                          "out of memory: %zu elements of %zu bytes are more than a process can "
                          "address",
                          count, size);
    }
    void *head = NULL;
    if (posix_memalign(&head, MEM_ALIGNMENT, MEM_ALIGNMENT + (total == 0 ? 1 : total)) != 0) {
        char text[NUM_TEXT_MAX];
        num_format_bytes((double)total, text);
        return status_set(status, STATUS_NO_MEMORY, "out of memory: no block of %s is left", text);
    }
    *(struct head *)head = (struct head){.mapped = 0};
    *bytes = total;
    *out = (char *)head + MEM_ALIGNMENT;
    return STATUS_OK;
}

enum status_code mem_new(size_t count, size_t size, void **out, struct status *status)
{
    void *block = NULL;
    size_t bytes = 0;
    enum status_code code = allocate(count, size, &block, &bytes, status);
    if (code == STATUS_OK) {
        memset(block, 0, bytes);
        *out = block;
    }
    return code;
}

enum status_code mem_resize(void **block, size_t old_count, size_t new_count, size_t size,
                            struct status *status)
{
    assert(*block != NULL || old_count == 0);
    if (*block != NULL && new_count <= old_count) {
        return STATUS_OK;
    }
    void *grown = NULL;
    size_t bytes = 0;
    enum status_code code = allocate(new_count, size, &grown, &bytes, status);
    if (code != STATUS_OK) {
        return code;
    }
    size_t kept = old_count * size;
    if (kept > 0) {
        memcpy(grown, *block, kept);
    }
    memset((char *)grown + kept, 0, bytes - kept);
    mem_free(*block);
    *block = grown;
    return STATUS_OK;
}

void mem_free(void *block)
{
    if (block == NULL) {
        return;
    }
    struct head *head = head_of(block);
    if (head->mapped > 0) {
        (void)munmap(head, head->mapped);
    } else {
        free(head);
    }
}

/* ---- in a file ---- */

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

enum status_code spill_new(const char *beside, size_t count, size_t size, void **out,
                           struct status *status)
{
    size_t bytes = 0;
    int fd = -1;
    if (beside == NULL || !num_multiply(count, size, &bytes) || bytes < atomic_load(&least) ||
        bytes == 0 || bytes > (size_t)PTRDIFF_MAX - MEM_ALIGNMENT) {
        return mem_new(count, size, out, status);
    }
    bytes += MEM_ALIGNMENT;
    enum status_code code = open_file(beside, bytes, &fd, status);
    if (code != STATUS_OK) {
        return code;
    }
    void *head = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    const int problem = errno;
    close(fd);
    if (head == MAP_FAILED) {
        return failed(beside, bytes, problem, status);
    }
    *(struct head *)head = (struct head){.mapped = bytes};
    *out = (char *)head + MEM_ALIGNMENT;
    return STATUS_OK;
}

bool spill_has(const void *block)
{
    return block != NULL && head_of(block)->mapped > 0;
}

void spill_rest(void *block)
{
    if (spill_has(block)) {
        (void)madvise(head_of(block), head_of(block)->mapped, MADV_DONTNEED);
    }
}
