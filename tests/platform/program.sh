#!/bin/sh
# The released program as the linker left it: position-independent, its tables read-only once it runs,
# stack protector, checked library calls, no executable stack, no symbols and no folder of this machine.
# Prints a line for every failure and `N passed, N failed` last.
set -u
: "${PROGRAM:?}" "${BUILD:?}"
case $BUILD in
*release) ;;
*)
    echo 'skipped: program: the release build is what gets installed'
    echo '0 passed, 0 failed'
    exit 0
    ;;
esac
passed=0
failed=0

# has WHAT PATTERN READELF_OPTIONS...; has_no the same
has() {
    what=$1 pattern=$2
    shift 2
    if readelf "$@" -W "$PROGRAM" | grep -qE "$pattern"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
    fi
}
has_no() {
    what=$1 pattern=$2
    shift 2
    if readelf "$@" -W "$PROGRAM" | grep -qE "$pattern"; then
        failed=$((failed + 1))
        echo "FAILED: $what"
    else
        passed=$((passed + 1))
    fi
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
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
