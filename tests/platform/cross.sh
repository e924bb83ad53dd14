#!/bin/sh
# `make cross`: builds for 64-bit ARM with Debian's cross compiler, against arm64 packages that are
# unpacked into build/aarch64/root (nothing is installed), and runs the kernel, contrast and metric tests
# and the demo under qemu. Skipped where compiler, emulator or packages are out of reach.
set -u
. "$(dirname "$0")/../support/tap.sh"
folder=$root/build/aarch64
system=$folder/root # what is unpacked
TESTS='test_vec test_blas test_topk test_contrast test_contrast_losses test_loss test_metrics test_evaluation test_sequence'

give_up() {
    skip "$1 (sh .ci/packages.sh soak)"
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
        APT_CONFIG=$state/conf apt-get install -y -qq --download-only $(sh .ci/packages.sh names | grep -e '-dev$' | grep -v '^mpi-') ||
        return
    rm -rf "$system.new" && mkdir "$system.new" || return
    for package in "$state"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$system.new" || return
    done
    # one folder of libraries, as where /lib is a link
    if [ -d "$system.new/lib" ]; then
        cp -a "$system.new/lib/." "$system.new/usr/lib/" && rm -r "$system.new/lib" || return
    fi
    ln -s usr/lib "$system.new/lib" && mv "$system.new" "$system"
}

command -v aarch64-linux-gnu-gcc >/dev/null || give_up 'no aarch64-linux-gnu-gcc'
command -v qemu-aarch64-static >/dev/null || give_up 'no qemu-aarch64-static'
command -v apt-get >/dev/null || give_up 'no apt-get'
mkdir -p "$folder"
if [ ! -d "$system" ] && ! unpack >"$box/said" 2>&1; then
    give_up "the arm64 packages cannot be had: $(tail -n 1 "$box/said")"
fi

libraries=$system/usr/lib/aarch64-linux-gnu
PKG_CONFIG_LIBDIR=$libraries/pkgconfig:$libraries/openblas-pthread/pkgconfig
PKG_CONFIG_SYSROOT_DIR=$system
export PKG_CONFIG_LIBDIR PKG_CONFIG_SYSROOT_DIR
# shellcheck disable=SC2046,SC2086
check 'it builds' make --no-print-directory -s -j"$(nproc)" BUILD=build/aarch64 \
    CC="aarch64-linux-gnu-gcc --sysroot=$system" AR=aarch64-linux-gnu-ar \
    all $(printf 'build/aarch64/tests/unit/%s ' $TESTS)
cat >"$folder/emulated" <<RUN
#!/bin/sh
exec qemu-aarch64-static -L "$system" -E LD_LIBRARY_PATH=/usr/lib/aarch64-linux-gnu/openblas-pthread "\$@"
RUN
printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$folder/emulated" "$folder/nightjar" >"$folder/program"
chmod +x "$folder/emulated" "$folder/program"
for test in $TESTS; do
    check "$test" "$folder/emulated" "build/aarch64/tests/unit/$test"
done
check 'the kernels are NEON' sh -c "'$folder/program' version | grep 'kernels: neon'"
check 'the demo' env PROGRAM="$folder/program" FOLDER=build/aarch64/demo sh tests/support/demo.sh
end_of_tests
