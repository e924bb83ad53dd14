#!/bin/sh
# What `make install` and `make deb` leave: the files, a man page that roff accepts, completions that
# complete, a package that installs into a root of its own and leaves nothing when removed. PROGRAM is
# the nightjar to install.
set -u
. "$(dirname "$0")/../support/tap.sh"

# completed WORD...: what bash offers for the last of these words, one a line
completed() {
    bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _nightjar
        printf "%s\n" "${COMPREPLY[@]}"' "$share/bash-completion/completions/nightjar" nightjar "$@"
}

make -s install PREFIX=/usr "DESTDIR=$box/root" "VARIANT=$(basename "$BUILD")" >"$box/said" 2>&1 ||
    cat "$box/said"
share=$box/root/usr/share
check 'the program' [ -x "$box/root/usr/bin/nightjar" ]
check 'the extension' [ -s "$box/root/usr/lib/nightjar/nightjar.so" ]
pages=$share/doc/nightjar
check 'the examples' [ -s "$pages/examples/nightly.yaml" ]
check 'their schema' [ -s "$pages/examples/$(sed -n 's/.*\$schema=//p' "$pages/examples/nightly.yaml")" ]
for page in $(cd "$pages" && find . -name '*.md'); do
    grep -o '](\([^)#]*\)' "$pages/$page" | sed 's/^](//; /^https*:/d; /^$/d' >"$box/targets"
    while read -r target; do
        check "$page links to $target" [ -e "$pages/$(dirname "$page")/$target" ]
    done <"$box/targets"
done
check 'the service' grep -q '^ExecStart=/usr/bin/nightjar run' \
    "$box/root/usr/lib/systemd/system/nightjar.service"
check 'a command is completed' [ "$(completed roll)" = rollback ]
check 'a flag is completed' [ "$(completed run --max)" = --max-time ]
check 'a topic is completed' [ "$(completed help small)" = small-nights ]
check 'a stage is completed' [ "$(completed describe calib)" = calibrate ]
check 'a stage behind --from is completed' [ "$(completed run shop.yaml --from calib)" = calibrate ]
check 'a word of a few is completed' [ "$(completed run --log-format j)" = json ]
: >"$box/two words.yaml"
check 'a file with a blank is one' [ "$(completed run "$box/two w")" = "$box/two words.yaml" ]
check 'the zsh completion knows every command' [ "$(grep -c '^[a-z]*)$' \
    "$share/zsh/vendor-completions/_nightjar")" = "$("$PROGRAM" help | sed -n '/^Commands/,/^$/p' |
    grep -c '^  ')" ]
check 'the page has the topics' grep -q '^\.SH Privacy' "$share/man/man1/nightjar.1"
if command -v groff >/dev/null; then
    groff -man -ww -Tutf8 "$share/man/man1/nightjar.1" >"$box/page" 2>"$box/warnings"
    check 'roff has no warning' [ ! -s "$box/warnings" ]
    check 'the page names every exit code' grep -q 'refused by the gate' "$box/page"
else
    skip 'the man page: no groff'
fi
if command -v mandoc >/dev/null; then
    check 'mandoc has nothing to say' mandoc -T lint "$share/man/man1/nightjar.1"
else
    skip 'the man page: no mandoc'
fi
if command -v systemd-analyze >/dev/null; then
    units=$box/units
    mkdir "$units"
    cp "$box/root/usr/lib/systemd/system/nightjar.timer" "$units"
    sed 's,=/usr/bin/nightjar,=/bin/true,' configs/nightjar.service >"$units/nightjar.service"
    check 'the units' systemd-analyze verify --man=no "$units/nightjar.service" "$units/nightjar.timer"
else
    skip 'the units: no systemd-analyze'
fi

# a package database and a root of its own; its dependencies are those of the running program
package=$(PROGRAM=$PROGRAM MAKE=make sh tests/support/deb.sh "$box/deb" 2>"$box/said" | tail -n 1)
check 'the package' [ -s "$package" ]
mkdir -p "$box/installed" "$box/admin/info" "$box/admin/updates"
: >"$box/admin/status"
dpkg_apart() {
    dpkg --root="$box/installed" --instdir="$box/installed" --admindir="$box/admin" \
        --log="$box/log" --force-not-root --force-depends --force-script-chrootless "$@"
}
check 'it installs' dpkg_apart -i "$package"
check 'it runs' "$box/installed/usr/bin/nightjar" version
check 'cron would start what is installed' grep -q '  /usr/bin/nightjar run' \
    "$box/installed/usr/share/doc/nightjar/examples/crontab.example"
if command -v lintian >/dev/null; then
    check 'lintian has nothing to say' [ -z "$(lintian "$package" 2>/dev/null)" ]
else
    skip 'the package: no lintian'
fi

# The service's first night by hand, where there is no systemd: nobody's rights, nothing but the state folder
# to write to, no variable but the one that systemd gives.
mkdir "$box/state"
chmod 755 "$box" "$box/installed"
"$PROGRAM" generate "$box/state/shop.db" --until 2026-01-01 --users 300 --items 150 --events 6000 --quiet
[ "$(id -u)" -ne 0 ] || chown -R 65534 "$box/state"
night() {
    (cd "$box/state" && as_nobody env -i STATE_DIRECTORY="$box/state" PATH=/usr/bin:/bin \
        "$box/installed/usr/bin/nightjar" run "$box/installed/etc/nightjar/nightly.yaml" --publish-anyway)
}
check 'the example runs as the service would' night
check 'it leaves its files in the state folder' [ -s "$box/state/reco.db" -a -s "$box/state/nightly.work.db" \
    -a -s "$box/state/nightly.html" ]
sed '/^work:/,/work.db/d' "$box/installed/etc/nightjar/nightly.yaml" >"$box/installed/etc/nightjar/relative.yaml"
as_nobody env STATE_DIRECTORY="$box/state" "$PROGRAM" run "$box/installed/etc/nightjar/relative.yaml" \
    >"$box/refusal" 2>&1
check 'a folder that cannot be written is 73' [ $? -eq 73 ]
check 'and the option that helps is named' grep -q 'work\.database' "$box/refusal"
rm "$box/installed/etc/nightjar/relative.yaml"
check 'it is removed' dpkg_apart -P nightjar
check 'it leaves nothing' [ -z "$(find "$box/installed" -type f)" ]

end_of_tests
