#!/bin/sh
# `make cross`: builds for 64-bit ARM with Debian's cross compiler, against arm64 packages that are
# unpacked into build/aarch64/root (nothing is installed), and runs the kernel, contrast and metric tests
# and the demo under qemu. Skipped where compiler, emulator or packages are out of reach. Prints a line
# for every failure and `N passed, N failed` last.
set -u
: "${MAKE:=make}"
cd "$(dirname "$0")/../.." || exit 1
folder=$PWD/build/aarch64
root=$folder/root
TESTS='test_vec test_blas test_topk test_contrast test_contrast_losses test_loss test_metrics test_evaluation'
passed=0
failed=0

skip() {
    echo "skipped: cross: $1 (sh .ci/packages.sh soak)"
    echo '0 passed, 0 failed'
    exit 0
}

# check WHAT COMMAND...
check() {
    what=$1
    shift
    if "$@" >"$folder/said" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
        tail -n 30 "$folder/said"
    fi
}

# the development packages of packages.sh with all that they need, by an apt that knows of nothing
# installed
unpack() {
    state=$folder/apt
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial" &&
        : >"$state/status" &&
        cat >"$state/conf" <<CONF || return
Dir::State "$state";
Dir::State::status "$state/status";
Dir::Cache "$state/cache";
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
CONF
    # shellcheck disable=SC2046
    APT_CONFIG=$state/conf apt-get update -qq &&
        APT_CONFIG=$state/conf apt-get install -y -qq --download-only $(sh .ci/packages.sh names | grep -e '-dev$') ||
        return
    rm -rf "$root" && mkdir -p "$root.new" || return
    for package in "$state"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$root.new" || return
    done
    # one folder of libraries, as where /lib is a link
    if [ -d "$root.new/lib" ]; then
        cp -a "$root.new/lib/." "$root.new/usr/lib/" && rm -r "$root.new/lib" || return
    fi
    ln -s usr/lib "$root.new/lib" && mv "$root.new" "$root"
}

command -v aarch64-linux-gnu-gcc >/dev/null || skip 'no aarch64-linux-gnu-gcc'
command -v qemu-aarch64-static >/dev/null || skip 'no qemu-aarch64-static'
command -v apt-get >/dev/null || skip 'no apt-get'
mkdir -p "$folder"
if [ ! -d "$root" ] && ! unpack >"$folder/said" 2>&1; then
    tail -n 3 "$folder/said"
    skip 'the arm64 packages cannot be had'
fi

libraries=$root/usr/lib/aarch64-linux-gnu
PKG_CONFIG_LIBDIR=$libraries/pkgconfig:$libraries/openblas-pthread/pkgconfig
PKG_CONFIG_SYSROOT_DIR=$root
export PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR
# shellcheck disable=SC2046
check 'building' "$MAKE" --no-print-directory -s -j"$(nproc)" BUILD=build/aarch64 \
    CC="aarch64-linux-gnu-gcc --sysroot=$root" AR=aarch64-linux-gnu-ar \
    all $(printf 'build/aarch64/tests/unit/%s ' $TESTS)
cat >"$folder/emulated" <<RUN
#!/bin/sh
exec qemu-aarch64-static -L "$root" -E LD_LIBRARY_PATH=/usr/lib/aarch64-linux-gnu/openblas-pthread "\$@"
RUN
printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$folder/emulated" "$folder/nightjar" >"$folder/program"
chmod +x "$folder/emulated" "$folder/program"
if [ "$failed" -eq 0 ]; then
    for test in $TESTS; do
        check "$test" "$folder/emulated" "build/aarch64/tests/unit/$test"
    done
    check 'the kernels are NEON' sh -c "'$folder/program' version | grep -q 'kernels: neon'"
    check 'make demo' env PROGRAM="$folder/program" FOLDER=build/aarch64/demo sh tests/support/demo.sh
    tail -n 30 "$folder/said" | grep -a -A 6 'held-out week'
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
