#!/usr/bin/env bash
# Another Debian in a folder, for another Python and another systemd than the machine's. Only root can.
#
#   tests/debian.sh build SUITE ROOT       make it, from where this machine's apt gets its packages
#   tests/debian.sh run ROOT COMMAND...    run a program in it: the checkout, and the folder $SEEN, lie where they
#                                          lie, all else is its own
set -euo pipefail

checkout=$(cd "$(dirname "$0")/.." && pwd)
# A systemd, a Python, and what tests of a server call besides.
packages=systemd,libpam-systemd,dbus,python3,python3-venv,python3-dev,gcc,libc6-dev,curl,openssl,ca-certificates
packages+=,iproute2,procps,psmisc,logrotate,git,make,faketime

build() {
    local suite=$1 root=$2 mirror
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' 'Created-By: Packages' | head -n 1)
    command -v debootstrap >/dev/null || apt-get -qq install -y --no-install-recommends debootstrap >/dev/null
    rm -rf "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase --include="$packages" "$suite" "$root" "$mirror" >"$root.log" 2>&1 || {
        tail -n 20 "$root.log" >&2
        return 1
    }
    rm -rf "$root"/var/cache/apt/archives/*.deb
}

# Everything in namespaces of its own, so that nothing stays mounted whatever happens.
run() {
    local root
    root=$(cd "$1" && pwd)
    shift
    export root checkout
    exec unshare --mount --pid --fork --kill-child --mount-proc bash -c '
        set -eu
        mount --make-rprivate /
        mount --bind "$root" "$root"
        mount -t proc proc "$root/proc"
        mount --rbind /sys "$root/sys"
        mount --rbind /dev "$root/dev"
        mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
        for path in "$checkout" ${SEEN:+"$SEEN"} /etc/resolv.conf /etc/hosts /etc/ssl/certs /etc/pip.conf /usr/local/share/ca-certificates; do
            [ -e "$path" ] || continue
            if [ -d "$path" ]; then mkdir -p "$root$path"; else touch "$root$path"; fi
            mount --bind "$path" "$root$path"
        done
        exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
            bash -c "cd \"\$1\" && shift && exec \"\$@\"" - "$checkout" "$@"
    ' - "$@"
}

case ${1:-} in
    build | run) "$@" ;;
    *)
        sed -n 's/^# *//p' "$0" >&2
        exit 2
        ;;
esac
