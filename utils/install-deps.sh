#!/bin/bash
# SPDX-FileCopyrightText: dsv4c authors
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Installs what building dsv4c needs on Debian 12 (or newer): only packages that
# are missing, so that a second run is instant and works offline. As root or
# with sudo. LLVM 22 comes from Debian's security suite, which is enabled here
# if it is not.
#
#   utils/install-deps.sh               packages for building
#   utils/install-deps.sh --test        also build/venv with the Python packages
#                                       that some tests compare against, and
#                                       CUDA's compiler libraries
#   utils/install-deps.sh --sanitizers  also what the asan and tsan presets need
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PACKAGES=(
  g++ cmake ninja-build ccache git python3 python3-venv binutils
  libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools
  liblld-22-dev lld-22 clang-22 clang-format-22
  nlohmann-json3-dev libtomlplusplus-dev libcli11-dev
  libgtest-dev libgmock-dev libbenchmark-dev
  zlib1g-dev libzstd-dev libxml2-dev
)
# NVRTC and nvJitLink compile GPU kernels in tests; they need no GPU. The oldest
# release of CUDA 13, because PTX of a newer one needs a newer driver.
PYTHON_PACKAGES=(numpy==2.4.6 ml_dtypes==0.6.0 tokenizers==0.23.3
  nvidia-cuda-nvrtc==13.0.88 nvidia-nvjitlink==13.0.88)

want_test=0
for arg in "$@"; do
  case "$arg" in
    --test) want_test=1 ;;
    --sanitizers) PACKAGES+=(libclang-rt-22-dev) ;;
    *) echo "usage: $0 [--test] [--sanitizers]" >&2; exit 2 ;;
  esac
done

fail() { echo "install-deps: $*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else fail "expected root or sudo for: $*"
  fi
}

installed() {
  [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null)" = "ii " ]
}

# The security suite lies beside the main archive on the same mirror, so its
# address is derived from the configured one.
enable_security_suite() {
  local codename
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-unknown}")
  [ "$codename" = bookworm ] || return 0
  grep -rqsE '^[^#]*bookworm-security' /etc/apt/sources.list \
    /etc/apt/sources.list.d && return 0
  local main
  main=$(grep -rhsoE '^[^#]*https?://[^ ]+/debian/?( |$)' \
    /etc/apt/sources.list /etc/apt/sources.list.d |
    grep -oE 'https?://[^ ]+/debian' | head -n 1 || true)
  [ -n "$main" ] || fail "expected a bookworm mirror in /etc/apt/sources.list," \
    "found none; enable the suite bookworm-security by hand"
  echo "install-deps: enabling bookworm-security (LLVM 22 is there)"
  echo "deb $main-security bookworm-security main" |
    as_root tee /etc/apt/sources.list.d/bookworm-security.list >/dev/null
}

install_packages() {
  local missing=() package
  for package in "${PACKAGES[@]}"; do
    installed "$package" || missing+=("$package")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  command -v apt-get >/dev/null ||
    fail "expected Debian's apt-get, found none; install: ${missing[*]}"
  echo "install-deps: installing ${missing[*]}"
  enable_security_suite
  as_root apt-get -q update
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
    -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}" \
    >/dev/null || fail "apt-get could not install: ${missing[*]}"
}

# Tests that need these are skipped by name when they are absent.
install_python_packages() {
  local venv=build/venv
  local stamp=$venv/.dsv4-packages
  [ "$(cat "$stamp" 2>/dev/null)" != "${PYTHON_PACKAGES[*]}" ] || return 0
  # --system-site-packages is off: the versions here are the pinned ones.
  [ -x "$venv/bin/python" ] || /usr/bin/python3 -m venv "$venv"
  if "$venv/bin/python" -m pip install -q --disable-pip-version-check \
    --timeout 20 --retries 1 "${PYTHON_PACKAGES[@]}"; then
    echo "${PYTHON_PACKAGES[*]}" >"$stamp"
  else
    echo "install-deps: PyPI is not reachable; without ${PYTHON_PACKAGES[*]}" \
      "the tests that need them are skipped" >&2
  fi
}

install_packages
if [ "$want_test" = 1 ]; then install_python_packages; fi
