#!/bin/sh
# A fresh Debian 12 and 13, a newcomer's commands: `packages.sh` alone installs what builds and runs the
# demo, `packages.sh tests` what the tests need; clang builds it all too. Skipped where mmdebstrap cannot make
# such a system. debian.sh [RELEASE...]: these alone.
set -u
. "$(dirname "$0")/../support/tap.sh"

# what happens in the new system: a line of TAP for each command, what the last said behind it
cat >"$box/commands" <<'COMMANDS'
cd /nightjar
try() {
    if sh -c "$1" >said 2>&1; then
        echo "passed $1"
    else
        echo "failed $1"
        tail -n 40 said | sed 's/^/# /'
    fi
}
try 'sh .ci/packages.sh && make -j2 demo'
try 'sh .ci/packages.sh tests && make check'
try 'make -s layers format-check lint'
try 'apt-get install -y -qq --no-install-recommends clang >/dev/null && make -s -j2 CC=clang BUILD=build/clang tests'
COMMANDS
cat >"$box/hook" <<HOOK
mkdir -p "\$1/nightjar" &&
    tar --exclude=./build --exclude=./.git -c -C "$root" . | tar -x -C "\$1/nightjar" &&
    cp "$box/commands" "\$1/commands" &&
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root chroot "\$1" sh /commands >"$box/answers"
HOOK
[ $# -gt 0 ] || set -- bookworm trixie
for release in "$@"; do
    : >"$box/answers"
    if ! command -v mmdebstrap >/dev/null; then
        skip "$release: no mmdebstrap (sh .ci/packages.sh soak)"
    elif ! mmdebstrap -q --variant=minbase --format=null --customize-hook="sh $box/hook \"\$1\"" "$release" \
        >"$box/said" 2>&1 && [ ! -s "$box/answers" ]; then
        skip "$release: $(tail -n 1 "$box/said")"
    fi
    while read -r answer command; do
        case $answer in
        passed) pass "$release: $command" ;;
        failed) fail "$release: $command" ;;
        *) echo "$answer $command" ;;
        esac
    done <"$box/answers"
done
end_of_tests
