#!/usr/bin/env bash
# Builds a program of crates.io into a folder: install-tool.sh FOLDER VERSION NAME. The program is FOLDER/bin/NAME.
set -euo pipefail

folder=$1 version=$2 name=$3
# It runs for seconds and is compiled for minutes: little optimisation.
CARGO_TARGET_DIR=$folder/build \
    CARGO_PROFILE_RELEASE_LTO=off \
    CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    CARGO_PROFILE_RELEASE_DEBUG=0 \
    cargo install --quiet --locked --root "$folder" --version "$version" "$name"
rm -rf "$folder/build"
