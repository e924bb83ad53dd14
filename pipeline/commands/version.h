/* The one place where nightjar's version and its day stand. */
#ifndef NIGHTJAR_COMMANDS_VERSION_H
#define NIGHTJAR_COMMANDS_VERSION_H

#define NIGHTJAR_VERSION "0.2.0"
#define NIGHTJAR_DATE    "2026-11-30"

#endif
