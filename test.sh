#!/usr/bin/env bash
# Installs the packages, builds everything and runs all tests.
. "$(dirname "${BASH_SOURCE[0]}")/scripts/common.sh"
cd "$root"

say "1/3 packages"
install_missing packages/debian.txt
install_node

say "2/3 build (first time: some minutes)"
build release all

say "3/3 tests"
ctest --test-dir build/release -j 2 --output-on-failure --no-tests=error "$@" || fail "some tests failed"

printf '\nOK: all tests passed\n'
