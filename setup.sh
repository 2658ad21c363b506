#!/usr/bin/env bash
# Installs the Debian packages that pp needs and this machine lacks; where nothing is missing it does nothing.
#
#   ./setup.sh          what the libraries, programs, tests and benchmarks need
#   ./setup.sh --all    and what the builds with clang-19 need besides (ThreadSanitizer's symbols, clang-tidy), and the tests of the
#                       Debian packages and Kubernetes manifests (lintian, a fresh Debian, zsh)
#   ./setup.sh --slurm  and a Slurm, for the tests that start one; its services need not run, and the tests leave them alone
#   ./setup.sh --peers  and the systems that pp-bench measures pp beside, which it skips by name where they are missing
set -euo pipefail

packages=(
  g++ cmake ninja-build pkg-config ccache                                # to build
  capnproto libcapnp-dev libfabric-dev libsodium-dev libtbb-dev          # to run on
  libcereal-dev libboost1.81-dev libspdlog-dev libfmt-dev libcli11-dev libtomlplusplus-dev libncurses-dev libpng-dev
  libgtest-dev libgmock-dev libbenchmark-dev nlohmann-json3-dev iproute2 doxygen   # to test and measure
  dpkg-dev                                                               # to make the Debian packages
  openssh-client nftables                                                # for the tests of pp-launch over ssh
  clang-19 libclang-rt-19-dev                                            # to fuzz (libFuzzer)
)
# These tests want an sshd as well, and are skipped without it. Where a system manager runs, to install one is to start it: that is
# for you to decide (apt install openssh-server).
[[ -d /run/systemd/system ]] || packages+=(openssh-server)
case "${1:-}" in
  "") ;;
  --all) packages+=(llvm-19 clang-tidy-19 lintian mmdebstrap zsh groff python3-kubernetes python3-yaml) ;;
  --peers) packages+=(openmpi-bin libopenmpi-dev python3 python3-distributed) ;;
  --slurm) packages+=(slurmctld slurmd slurm-client slurm-wlm-basic-plugins) ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

release=$(. /etc/os-release 2>/dev/null && echo "${ID:-}${VERSION_ID:-}") || release=
if [[ $release != debian12 ]]; then
  echo "setup.sh installs packages on Debian 12 only; this is ${release:-another system}." >&2
  echo "Install what these Debian packages hold, then run demo.sh or test.sh with --no-setup:" >&2
  echo "  ${packages[*]}" >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  # "ii": installed. A package that was removed but not purged is still known to dpkg, and missing all the same.
  [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) == ii* ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  echo "OK: all ${#packages[@]} packages that pp needs are installed"
  exit 0
fi

as_root=(env DEBIAN_FRONTEND=noninteractive)
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "setup.sh must install ${missing[*]}: run it as root, or install sudo." >&2
    exit 1
  fi
  as_root=(sudo "${as_root[@]}")
fi
echo "setup.sh installs: ${missing[*]}"
"${as_root[@]}" apt-get update -q
"${as_root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
echo "OK: all ${#packages[@]} packages that pp needs are installed"
