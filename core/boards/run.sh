# What the boards' `run` scripts share; each of them sets these and sources this file:
#
#   board      its name: that of its folder, and with shout- before it, of its package and of the image of the server
#   target     what rustc calls its processor
#   linker     GNU's linker for it, and `binutils` the Debian package with it
#   emulator   QEMU's program for it, and `emulator_package` the Debian package with it
#   parts      images that test a part each
#   variants   images of other servers, each with the name of the feature that it needs
#
# The usage is that of `run --help`.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")"

images=${CARGO_TARGET_DIR:-target}/images
: "${variants=}"

usage() {
    cat <<END
The core on the board $board: builds the image, starts it in QEMU and tests it. Ends by itself, with 0 if all is well.

  run                  builds and tests the image
  run --serve [PORT]   builds it, with log lines, and leaves it running, reached at this port of loopback [8080]
  run --lint           clippy of all images, with and without log lines
  --image NAME         (with the first two) not the image of the board's own loop but this one: ${variants:-there is no other}
  --only TEXT          only the tests with this in their name
END
}

fail() { printf 'run: %s\n' "$*" >&2; exit 1; }
need() { command -v "$1" >/dev/null || fail "there is no $1: apt-get install $2"; }

# Chooses what to build with: rustup's target, or Debian's compiler and the sources of its `core`.
choose_toolchain() {
    command -v cargo >/dev/null || fail 'there is no cargo: install Rust, see https://rustup.rs'
    clippy=(cargo clippy)
    options=(--locked --release)
    if [ -d "$(rustc --print target-libdir --target "$target" 2>/dev/null)" ]; then
        return
    fi
    local debian=/usr/bin/rustc
    if [ -x $debian ] && [ -d "$($debian --print sysroot)/lib/rustlib/src/rust/library/core" ] &&
        command -v "$linker" >/dev/null; then
        # `build-std` is not stable yet, hence the permission to use it all the same.
        export RUSTC=$debian RUSTC_BOOTSTRAP=1
        local variable=${target^^}
        export "CARGO_TARGET_${variable//-/_}_LINKER=$linker"
        clippy=(/usr/bin/cargo-clippy clippy)
        options+=(-Z build-std=core)
        return
    fi
    fail "nothing here can build for $target. Either of these does:
  rustup target add $target
  apt-get install rustc-web rust-web-src $binutils    (Debian 12)"
}

# Builds the image and those that test parts of it; $1: where they go, $2: the features.
build_images() {
    local to=$images/$1 name
    cargo build "${options[@]}" --features "$2"
    mkdir -p "$to"
    for name in "$image" $parts; do
        cp "${CARGO_TARGET_DIR:-target}/$target/release/$name" "$to/$name"
    done
}

lint() {
    need "${clippy[0]}" 'rust-web-clippy    (Debian 12)'
    local features
    for features in '' log $variants; do
        "${clippy[@]}" "${options[@]}" --features "$features" -- -D warnings
    done
}

need_emulator() {
    need "$emulator" "$emulator_package
  or, where Debian 12 has a qemu-utils from elsewhere: apt-get install --allow-downgrades $emulator_package qemu-utils/bookworm"
    need python3 python3
}

check() { exec python3 ../blackbox/check.py --board . "$@"; }

mode=test port=8080 image=shout-$board feature='' only=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) usage; exit ;;
    --lint) mode=lint ;;
    --serve)
        mode=serve
        if [[ ${2-} =~ ^[0-9]+$ ]]; then port=$2; shift; fi
        ;;
    --image)
        [[ " $variants " == *" ${2-} "* ]] && [ -n "${2-}" ] || fail "there is no image ${2-}: see run --help"
        image=$2 feature=$2; shift
        ;;
    --only) [ $# -gt 1 ] || fail 'which tests? see run --help'; only=(--only "$2"); shift ;;
    *) fail "there is no $1: see run --help" ;;
    esac
    shift
done

case $mode in
lint)
    choose_toolchain
    lint
    ;;
serve)
    need_emulator
    choose_toolchain
    build_images log "log $feature"
    check --serve "$port" "$images/log/$image"
    ;;
test)
    need_emulator
    need nc netcat-openbsd
    choose_toolchain
    build_images log "log $feature"
    build_images plain "$feature"
    check "${only[@]}" "$images/plain/$image" --log "$images/log/$image"
    ;;
esac
