#!/usr/bin/env bash
# Builds the pages as a site with a search, in target/book, and checks its links. Run by
# `make docs`. mdbook is built first where there is none.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=0.5.4
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
tools=$target/tools

is_there() { [[ $("$1" --version 2>/dev/null) == *" v${version%.*}."* ]]; }

if is_there mdbook; then
    mdbook=mdbook
elif is_there "$tools/bin/mdbook"; then
    mdbook=$tools/bin/mdbook
else
    echo "mdbook is not here: building version $version into $tools (some minutes, once)"
    # It runs for seconds and is compiled for minutes: little optimisation.
    CARGO_TARGET_DIR=$tools/build \
        CARGO_PROFILE_RELEASE_LTO=off \
        CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        CARGO_PROFILE_RELEASE_DEBUG=0 \
        cargo install --quiet --locked --root "$tools" --version "$version" \
        --no-default-features --features search mdbook
    rm -rf "$tools/build"
    mdbook=$tools/bin/mdbook
fi

cargo xtask book --out "$target/book-sources"
rm -rf "$target/book"
"$mdbook" build --dest-dir "$target/book" "$target/book-sources"
cargo xtask book-check "$target/book"
echo "The site begins at $target/book/index.html"
