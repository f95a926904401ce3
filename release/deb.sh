#!/bin/sh
# A Debian package of the wheel in dist: radiod in a virtual environment below /opt/radiod/VERSION, with its units.
# release/deb.sh [FOLDER]; without one: dist, where the package is put, too. For the distribution that it is built
# on: compiled modules fit one Python only. PYTHON= is the distribution's; TOOLS= as for release/dist.sh.
set -eu
umask 022
cd "$(dirname "$0")/.."
dist=$(cd "${1:-dist}" && pwd)
tools=$(cd "${TOOLS:-build/release}" && pwd)
python=${PYTHON:-/usr/bin/python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wheel=$(echo "$dist"/radiod-*.whl)
[ -f "$wheel" ] || {
    echo "release/deb.sh: $dist has no wheel, or several: make dist" >&2
    exit 1
}
version=$(basename "$wheel" | cut -d- -f2)
# A .dev sorts before the release only with a tilde.
debian=$(echo "$version" | sed 's/\.dev/~dev/; s/rc/~rc/')
minor=$("$python" -c 'import sys; print(sys.version_info[1])')
architecture=$(dpkg --print-architecture)
: "${SOURCE_DATE_EPOCH:=$(date +%s -r "$wheel")}"
export SOURCE_DATE_EPOCH PIP_DISABLE_PIP_VERSION_CHECK=1

# The environment is made where it will not be, so its own path is taken out of what has it.
root=$work/root
home=/opt/radiod/$version
"$python" -m venv --without-pip "$root$home"
"$tools/bin/python" -m pip --python "$root$home/bin/python" install --quiet --no-compile "$wheel"
# Where the wheel lay when this was made is nobody's business.
rm "$root$home"/lib/python3.*/site-packages/radiod-*.dist-info/direct_url.json
sed -i '/direct_url.json/d' "$root$home"/lib/python3.*/site-packages/radiod-*.dist-info/RECORD
grep -rlI "$work/root" "$root$home" | xargs -r sed -i "s|$work/root||g"
rm -f "$root$home"/bin/[Aa]ctivate*
# What pip wrote down of the commands was with that path in them.
"$python" - "$root$home" <<'END'
import base64, hashlib, pathlib, re, sys

for record in pathlib.Path(sys.argv[1]).glob("lib/python3.*/site-packages/*.dist-info/RECORD"):
    def told(line):
        data = (record.parent.parent / line[1]).read_bytes()
        sum = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        return f"{line[1]},sha256={sum},{len(data)}"
    record.write_text(re.sub(r"^([./]+/bin/[^,]+),sha256=[^,]*,\d+$", told, record.read_text(), flags=re.M))
END
"$root$home/bin/python" -m compileall -q --invalidation-mode unchecked-hash -s "$root" "$root$home/lib"
"$tools/bin/cyclonedx-py" environment --output-reproducible --spec-version 1.6 --output-format JSON \
    --output-file "$work/sbom.json" "$root$home/bin/python" 2>/dev/null

share=$root$home/share/radiod
put() { install -D -m "${3:-644}" "$1" "$root$2"; }
for unit in radiod.service radiod.socket radiod@.service; do put "$share/$unit" "/usr/lib/systemd/system/$unit"; done
put "$share/radiod.sysusers" /usr/lib/sysusers.d/radiod.conf
put "$share/radiod.tmpfiles" /usr/lib/tmpfiles.d/radiod.conf
put "$share/radiod.logrotate" /etc/logrotate.d/radiod
put "$share/radiod.toml" /etc/radiod/radiod.toml
put LICENSE /usr/share/doc/radiod/copyright
put CHANGELOG.md /usr/share/doc/radiod/CHANGELOG.md
put "$work/sbom.json" /usr/share/doc/radiod/radiod.cdx.json
mkdir -p "$root/usr/bin" "$root/DEBIAN"
for program in radiod radioctl; do ln -s "$home/bin/$program" "$root/usr/bin/$program"; done

cat >"$root/DEBIAN/control" <<END
Package: radiod
Version: $debian
Architecture: $architecture
Maintainer: The radiod maintainers <root@localhost>
Installed-Size: $(find "$root" -printf '%y %s\n' | awk '{ sum += $1 == "f" ? int(($2 + 1023) / 1024) : 1 } END { print sum }')
Depends: python3 (>= 3.$minor), python3 (<< 3.$((minor + 1))), systemd (>= 252)
Section: net
Priority: optional
Description: your own data radio
 Broadcasts live data over WAMP, WebSocket and HTTP from one process.
END
printf '/etc/radiod/radiod.toml\n/etc/logrotate.d/radiod\n' >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do install -m 755 "release/deb/$script" "$root/DEBIAN/$script"; done

find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
rm -f "$dist/radiod_${debian}_$architecture.deb"
dpkg-deb --root-owner-group -Zxz -z2 --build "$root" "$dist/radiod_${debian}_$architecture.deb" >/dev/null
echo "$dist/radiod_${debian}_$architecture.deb"
