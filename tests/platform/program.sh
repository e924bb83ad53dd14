#!/bin/sh
# The released program as the linker left it: position-independent, its tables read-only once it runs,
# stack protector, checked library calls, no executable stack, no symbols and no folder of this machine.
set -u
. "$(dirname "$0")/../support/tap.sh"

# read_elf PATTERN OPTIONS...: whether a line of what readelf says matches
read_elf() {
    pattern=$1
    shift
    readelf -W "$@" "$PROGRAM" | grep -E "$pattern"
}
# lacks PATTERN OPTIONS...
lacks() {
    ! read_elf "$@"
}

check 'position-independent' read_elf 'FLAGS_1.*PIE' -d
check 'relocations are read-only' read_elf GNU_RELRO -l
check 'bound before it runs' read_elf 'FLAGS_1.*NOW' -d
check 'a stack protector' read_elf __stack_chk_fail --dyn-syms
check 'checked library calls' read_elf '__(snprintf|memcpy)_chk' --dyn-syms
check 'a stack' read_elf GNU_STACK -l
check 'that holds no code' lacks 'GNU_STACK.*RWE' -l
check 'no symbols' lacks '\.(symtab|debug_info)' -S
check 'no path of its own to libraries' lacks 'R(UN)?PATH' -d
check 'no name of the folder it was built in' lacks "$root" -p .rodata
check 'the extension shows one name' \
    [ "$(readelf -W --dyn-syms "$BUILD/nightjar.so" | awk '$5 == "GLOBAL" && $7 != "UND" {print $8}')" = sqlite3_nightjar_init ]
end_of_tests
