#!/usr/bin/env bash
# Makes a fresh Debian 12, installs the packages in it with apt, and does there what the README says: the program is compiled by
# CMake and by pkg-config, with the shared and the static library, and runs on two nodes. Afterwards the packages are purged.
#
#   fresh_debian_test.sh DEBS README
#
# The mirror is the one from which this machine itself installs. Without root, mmdebstrap or a mirror that answers it is skipped.
set -euo pipefail
debs=$(realpath "$1")
readme=$(realpath "$2")
skip() {
  echo "skipped: $1"
  exit 77
}
((EUID == 0)) || skip "a root file system is made by root only"
command -v mmdebstrap >/dev/null || skip "mmdebstrap is not installed (./setup.sh --all installs it)"
suite=bookworm
[[ $(. /etc/os-release && echo "$ID-$VERSION_ID") == debian-12 ]] || skip "only a Debian 12 tells the mirror of a Debian 12"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# As this machine does it: its mirrors of Debian, and how apt goes there.
apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
  sort -u >"$work/sources.list"
grep -q " $suite main$" "$work/sources.list" || skip "apt knows no mirror of $suite here; apt-get update tells why"
mirror=$(awk -v suite="$suite" '$3 == suite {print $2; exit}' "$work/sources.list")
/usr/lib/apt/apt-helper download-file "${mirror%/}/dists/$suite/InRelease" "$work/InRelease" >/dev/null 2>&1 ||
  skip "the mirror that apt knows here does not answer"
apt-config dump | grep -E '^(Acquire::(http|https|ftp|Check|Retries)|APT::Sandbox)' >"$work/apt.conf" || true

mkdir "$work/debs"
cp "$debs"/*.deb "$work/debs"
# The program and the CMake lines, as they stand in the README.
mkdir "$work/primes"
block() { awk -v language="$1" '$0 == "```" language && !n++ {take = 1; next} /^```$/ {take = 0} take' "$readme"; }
block cpp >"$work/primes/main.cpp"
block cmake >"$work/primes/CMakeLists.txt"
block text >"$work/expected"
grep -oE 'g\+\+ -std=[^`]*' "$readme" | head -1 >"$work/by_hand"
[[ -s $work/primes/main.cpp && -s $work/primes/CMakeLists.txt && -s $work/expected && -s $work/by_hand ]]

cat >"$work/inside.sh" <<'END'
# Runs in the fresh Debian.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
step() { echo "== $1"; }
same() { diff /tmp/pp/expected "$1" && echo "prints what the README says: $2"; }
needs_library() { readelf --dynamic "$1" | grep -q 'NEEDED.*\[libpp\.so\.'; }
cd /tmp/pp

step "apt install ./*.deb"
apt-get install -q -y --no-install-recommends ./debs/*.deb
step "apt install what the README's build needs"
apt-get install -q -y --no-install-recommends g++ cmake ninja-build pkg-config
pp-launch --version
[[ -z $(dpkg --verify libpp0 libpp-dev pp-tools | grep -v '/usr/share/\(doc\|man\)/') ]]

cp -r primes static
sed -i 's/find_package(pp 0.1 REQUIRED)/find_package(pp 0.1 REQUIRED COMPONENTS static)/' static/CMakeLists.txt
for kind in primes static; do
  step "find_package: $kind"
  cmake -S $kind -B $kind/build -G Ninja >/dev/null
  cmake --build $kind/build
done
step "pkg-config: shared"
(cd primes && eval "$(cat ../by_hand)")
step "pkg-config: static"
(cd static && eval "$(sed 's/--libs pp/--libs pp-static/' ../by_hand)")
needs_library primes/build/primes && needs_library primes/primes
! needs_library static/build/primes && ! needs_library static/primes

step "two nodes"
for program in primes/build/primes primes/primes static/build/primes static/primes; do
  PP_WORKERS=1 pp-launch -n 2 -- $program >printed
  same printed $program
done

step "purge"
apt-get purge -q -y libpp0 libpp-dev pp-tools
! find / -xdev -path /proc -prune -o -path /tmp/pp -prune -o -path /var/lib/apt -prune -o \
  '(' -name 'libpp*' -o -name 'pp-*' -o -path '*/include/pp' ')' -print | grep -vE '/(sys|proc|var/cache)/' | grep .
step "done"
END

# null: nothing of the root is kept. The lists of apt are: the packages' dependencies come from the same mirror.
SECONDS=0
mmdebstrap --mode=root --variant=apt --format=null --aptopt="$work/apt.conf" --skip=cleanup \
  --customize-hook='mkdir -p "$1/tmp/pp"' \
  --customize-hook="copy-in '$work/debs' '$work/primes' '$work/expected' '$work/by_hand' '$work/inside.sh' /tmp/pp" \
  --customize-hook='chroot "$1" bash /tmp/pp/inside.sh' \
  "$suite" /dev/null "$work/sources.list"
echo "a fresh Debian, installed, built, run and purged in $SECONDS s"
