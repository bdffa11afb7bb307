#!/usr/bin/env bash
# From a fresh Debian 12 to a fleet of verified, exported networks: installs the packages, builds omnifit and runs
# configs/quickstart.yaml. Run again at any time: what is done is not done again.
. "$(dirname "${BASH_SOURCE[0]}")/scripts/common.sh"
cd "$root"

say "1/3 packages"
install_missing packages/debian.txt
install_node

say "2/3 build (first time: some minutes)"
build release omnifit omnifit_onnxruntime

say "3/3 run configs/quickstart.yaml"
build/release/bin/omnifit run configs/quickstart.yaml "$@" || fail "omnifit run configs/quickstart.yaml"

printf '\nOK: open runs/quickstart/report.html; the networks are in runs/quickstart/export/\n'
