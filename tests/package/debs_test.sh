#!/usr/bin/env bash
# Makes the Debian packages of a finished build, looks into each, and unpacks them into one root.
#
#   debs_test.sh CPACK CPACK_CONFIG DEBS ROOT      DEBS and ROOT are folders, emptied first
set -euo pipefail
cpack=$1 config=$2 debs=$3 root=$4
rm -rf "$debs" "$root"
mkdir -p "$debs" "$root"
"$cpack" --config "$config" -B "$debs"
rm -rf "$debs/_CPack_Packages"

failures=0
complain() {
  echo "$1"
  failures=$((failures + 1))
}
deb() { compgen -G "$debs/$1_*.deb" || { complain "there is no package $1"; false; }; }
# holds PACKAGE PATH...: shell patterns, each must match something in the package.
holds() {
  local listed pattern path found package=$1
  listed=$(dpkg-deb --fsys-tarfile "$(deb "$package")" | tar -t | sed 's|^\./|/|')
  shift
  for pattern; do
    found=
    while read -r path; do
      # shellcheck disable=SC2053
      [[ $path == $pattern ]] && found=1
    done <<<"$listed"
    [[ -n $found ]] || complain "$package lacks $pattern"
  done
}
# depends PACKAGE NAME...: a dependency for each.
depends() {
  local field name package=$1
  field=$(dpkg-deb -f "$(deb "$package")" Depends)
  shift
  for name; do
    [[ ", $field," == *[\ ,]"$name"[\ ,\(]* ]] || complain "$package does not depend on $name: $field"
  done
}

compgen -G "$debs/*.deb" | xargs -n 1 basename
holds 'libpp[0-9]*' '/usr/lib/*/libpp.so.[0-9]' '/usr/lib/*/libpp.so.[0-9].*'
library=$(dpkg-deb -f "$(deb 'libpp[0-9]*')" Package)
depends "$library" libc6 libstdc++6 libtbb12 libsodium23 libfabric1
holds libpp-dev '/usr/lib/*/libpp.so' '/usr/lib/*/libpp_runtime.a' '/usr/lib/*/pkgconfig/pp.pc' '/usr/lib/*/pkgconfig/pp-static.pc' \
  '/usr/lib/*/cmake/pp/pp-config.cmake' '/usr/lib/*/cmake/pp/pp-shared-targets.cmake' '/usr/lib/*/cmake/pp/pp-static-targets.cmake' \
  /usr/include/pp/pp.hpp
depends libpp-dev "$library" libcapnp-dev libcereal-dev libsodium-dev libspdlog-dev libtbb-dev
holds pp-tools /usr/bin/pp-launch /usr/bin/pp-top /usr/bin/pp-keygen /usr/bin/ppd /usr/lib/systemd/system/ppd.service \
  /usr/lib/systemd/user/ppd.service /usr/lib/sysusers.d/ppd.conf /etc/pp/ppd.toml
depends pp-tools libc6 libsodium23 libncursesw6
for package in "$library" libpp-dev pp-tools; do
  holds "$package" "/usr/share/doc/$package/copyright" "/usr/share/doc/$package/changelog.gz" "/usr/share/doc/$package/changelog.Debian.gz"
done

# Each program comes with its page and with completion for both shells, and none is called pp: that name belongs to another package.
while read -r program; do
  holds pp-tools "/usr/share/man/man[1-8]/$program.[1-8].gz" "/usr/share/bash-completion/completions/$program" \
    "/usr/share/zsh/vendor-completions/_$program"
  [[ $program != pp ]] || complain "a program is called pp"
done < <(dpkg-deb --fsys-tarfile "$(deb pp-tools)" | tar -t | sed -n 's|^\./usr/bin/\(.\+\)|\1|p')

# The node daemon: settings that are the administrator's, units that name what the package has, and nothing that starts by itself.
control=$(mktemp -d)
trap 'rm -rf "$control"' EXIT
dpkg-deb -e "$(deb pp-tools)" "$control"
grep -qx /etc/pp/ppd.toml "$control/conffiles" || complain "/etc/pp/ppd.toml is not marked as a file of settings"
for script in postinst prerm postrm; do
  sh -n "$control/$script" || complain "pp-tools' $script is no shell script"
done
! grep -E 'enable|start ' "$control/postinst" | grep -vE 'restart|^#' || complain "pp-tools starts its daemon by itself"
unpacked=$control/unpacked
dpkg-deb -x "$(deb pp-tools)" "$unpacked"
for unit in "$unpacked"/usr/lib/systemd/{system,user}/ppd.service; do
  program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$unit")
  [[ -x $unpacked$program ]] || complain "$unit starts $program, which the package does not have"
done
if command -v systemd-analyze >/dev/null; then
  for kind in system user; do
    mkdir "$control/$kind"   # the program is not installed: the unit names where it lies
    sed "s|=/usr/bin/|=$unpacked/usr/bin/|" "$unpacked/usr/lib/systemd/$kind/ppd.service" >"$control/$kind/ppd.service"
    said=$(SYSTEMD_LOG_LEVEL=warning XDG_RUNTIME_DIR=$control systemd-analyze verify --man=no --recursive-errors=no "--$kind" \
      "$control/$kind/ppd.service" 2>&1) || complain "the $kind unit: $said"
    [[ -z $said ]] || complain "the $kind unit: $said"
  done
fi
said=$("$unpacked/usr/bin/ppd" --config "$unpacked/etc/pp/ppd.toml" --show-config 2>&1) || complain "ppd.toml: $said"
[[ $said == *'key-file = "/etc/pp/daemons.key"'* ]] || complain "ppd.toml names another key: $said"
# What is commented out there are the defaults, of all settings.
sed 's/^# \([a-z-]* = \)/\1/' "$unpacked/etc/pp/ppd.toml" >"$control/all.toml"
difference=$(diff <("$unpacked/usr/bin/ppd" --show-config | sed 's/ *#.*//; /^key-file/d') \
  <("$unpacked/usr/bin/ppd" --config "$control/all.toml" --show-config | sed 's/ *#.*//; /^key-file/d')) ||
  complain "ppd.toml and ppd --show-config differ: $difference"

# What the library shows is ours: the private parts, and what others' headers left in it, stay inside.
for each in "$debs"/*.deb; do dpkg-deb -x "$each" "$root"; done
shown=$(nm --dynamic --defined-only --demangle "$root"/usr/lib/*/libpp.so.[0-9])
for hidden in pp::runtime::Courier:: pp::transport::Handshake:: capnp:: kj:: spdlog:: tbb:: fmt:: sodium; do
  foreign=$(grep -E " [TDB] $hidden" <<<"$shown" || true)
  [[ -z $foreign ]] || complain "libpp.so shows $(wc -l <<<"$foreign") symbols of $hidden, among them $(head -1 <<<"$foreign")"
done
if readelf --dynamic "$root"/usr/lib/*/libpp.so.[0-9] "$root"/usr/bin/* | grep -E 'R(UN)?PATH'; then
  complain "something in the packages looks for libraries where the system does not"
fi
((failures == 0))
