/* Functions that this project does not use, made into compile errors. Included by status.h, so
 * every file sees it. See "How the code reads" in CONTRIBUTING.md for what to use instead. */
#ifndef NIGHTJAR_BASE_BANNED_H
#define NIGHTJAR_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* macros where the library checks calls under clang */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat sprintf vsprintf gets strtok atoi atol atof
#pragma GCC poison rand srand localtime gmtime

#endif
