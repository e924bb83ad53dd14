/* Names of files. */
#include "base/path.h"

#include "base/banned.h"

#include <sys/stat.h>

bool path_same_file(const char *a, const char *b)
{
    struct stat info_a, info_b;
    if (a == NULL || b == NULL) {
        return false;
    }
    if (strcmp(a, b) == 0) {
        return true;
    }
    return stat(a, &info_a) == 0 && stat(b, &info_b) == 0 && info_a.st_dev == info_b.st_dev &&
           info_a.st_ino == info_b.st_ino;
}
