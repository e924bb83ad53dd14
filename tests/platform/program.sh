#!/bin/sh
# The released program as the linker left it: position-independent, its tables read-only once it runs,
# stack protector, checked library calls, no executable stack, no symbols and no folder of this machine.
set -u
. "$(dirname "$0")/../support/tap.sh"

# has WHAT PATTERN READELF_OPTIONS...; has_no the same
has() {
    what=$1 pattern=$2
    shift 2
    if readelf "$@" -W "$PROGRAM" | grep -qE "$pattern"; then pass "$what"; else fail "$what"; fi
}
has_no() {
    what=$1 pattern=$2
    shift 2
    if readelf "$@" -W "$PROGRAM" | grep -qE "$pattern"; then fail "$what"; else pass "$what"; fi
}

has 'position-independent' 'FLAGS_1.*PIE' -d
has 'relocations read-only' GNU_RELRO -l
has 'bound before it runs' 'FLAGS_1.*NOW' -d
has 'stack protector' __stack_chk_fail --dyn-syms
has 'checked library calls' '__(snprintf|memcpy)_chk' --dyn-syms
has 'a stack' GNU_STACK -l
has_no 'no executable stack' 'GNU_STACK.*RWE' -l
has_no 'no symbols' '\.(symtab|debug_info)' -S
has_no 'no path of its own to libraries' 'R(UN)?PATH' -d
has_no 'no name of the folder it was built in' "$(pwd)" -p .rodata -p .data
end_of_tests
