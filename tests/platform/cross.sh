#!/bin/sh
# `make cross`: builds for 64-bit ARM with Debian's cross compiler, against arm64 packages that are
# unpacked into build/aarch64/root (nothing is installed), and runs the kernel, contrast and metric tests
# and the demo under qemu. Skipped where compiler, emulator or packages are out of reach.
set -u
. "$(dirname "$0")/../support/tap.sh"
: "${MAKE:=make}"
folder=$root/build/aarch64
arm=$folder/root
TESTS='test_vec test_blas test_topk test_contrast test_contrast_losses test_loss test_metrics test_evaluation'

need() {
    command -v "$1" >/dev/null && return
    skip "no $1 (sh .ci/packages.sh soak)"
    end_of_tests
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
    rm -rf "$arm" && mkdir -p "$arm.new" || return
    for package in "$state"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$arm.new" || return
    done
    # one folder of libraries, as where /lib is a link
    if [ -d "$arm.new/lib" ]; then
        cp -a "$arm.new/lib/." "$arm.new/usr/lib/" && rm -r "$arm.new/lib" || return
    fi
    ln -s usr/lib "$arm.new/lib" && mv "$arm.new" "$arm"
}

need aarch64-linux-gnu-gcc
need qemu-aarch64-static
need apt-get
mkdir -p "$folder"
if [ ! -d "$arm" ] && ! unpack >"$folder/said" 2>&1; then
    skip "the arm64 packages cannot be had: $(tail -n 1 "$folder/said")"
    end_of_tests
fi

libraries=$arm/usr/lib/aarch64-linux-gnu
PKG_CONFIG_LIBDIR=$libraries/pkgconfig:$libraries/openblas-pthread/pkgconfig
PKG_CONFIG_SYSROOT_DIR=$arm
export PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR
# shellcheck disable=SC2046
check 'building' "$MAKE" --no-print-directory -s -j"$(nproc)" BUILD=build/aarch64 \
    CC="aarch64-linux-gnu-gcc --sysroot=$arm" AR=aarch64-linux-gnu-ar \
    all $(printf 'build/aarch64/tests/unit/%s ' $TESTS)
cat >"$folder/emulated" <<RUN
#!/bin/sh
exec qemu-aarch64-static -L "$arm" -E LD_LIBRARY_PATH=/usr/lib/aarch64-linux-gnu/openblas-pthread "\$@"
RUN
printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$folder/emulated" "$folder/nightjar" >"$folder/program"
chmod +x "$folder/emulated" "$folder/program"
if [ "$n_failed" -eq 0 ]; then
    for test in $TESTS; do
        check "$test" "$folder/emulated" "build/aarch64/tests/unit/$test"
    done
    check 'the kernels are NEON' sh -c "'$folder/program' version | grep -q 'kernels: neon'"
    check 'make demo' env PROGRAM="$folder/program" FOLDER=build/aarch64/demo sh tests/support/demo.sh
    tail -n 30 "$box/said" | grep -a -A 6 'held-out week'
fi
end_of_tests
