/* The one place where nightjar's version stands. */
#ifndef NIGHTJAR_COMMANDS_VERSION_H
#define NIGHTJAR_COMMANDS_VERSION_H

#define NIGHTJAR_VERSION "0.2.0"

#endif
