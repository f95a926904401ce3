#!/bin/sh
# Wheel, sdist, SBOM (CycloneDX) and checksums of the commit that is checked out.
# release/dist.sh [FOLDER]; without one: dist. TOOLS= has the programs of release/requirements.txt in bin.
# SOURCE_DATE_EPOCH is the time of the commit, unless it is given.
set -eu
umask 022
cd "$(dirname "$0")/.."
mkdir -p "${1:-dist}"
dist=$(cd "${1:-dist}" && pwd)
tools=$(cd "${TOOLS:-build/release}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What is not committed is in no release. An unpacked sdist has no commits: there it is what lies there.
source=.
if [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$(pwd -P)" ]; then
    : "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
    source=$work/source
    mkdir "$source"
    git archive HEAD | tar -x -C "$source"
    [ -z "$(git status --porcelain)" ] || echo "release/dist.sh: what is not committed is left out" >&2
fi
: "${SOURCE_DATE_EPOCH:=$(date +%s)}"
export SOURCE_DATE_EPOCH PIP_DISABLE_PIP_VERSION_CHECK=1

rm -f "$dist"/radiod-*.whl "$dist"/radiod-*.tar.gz "$dist"/radiod-*.cdx.json "$dist"/SHA256SUMS
# The wheel is made from the sdist: what is missing there is missed here.
"$tools/bin/python" -m build --no-isolation --outdir "$dist" "$source" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    exit 1
}
wheel=$(echo "$dist"/radiod-*.whl)

# The bill of materials is that of an installation, no wish list.
"$tools/bin/python" -m venv --without-pip "$work/installed"
"$tools/bin/python" -m pip --python "$work/installed/bin/python" install --quiet "$wheel"
# Where the wheel lies is none of its properties.
rm "$work"/installed/lib/python3.*/site-packages/radiod-*.dist-info/direct_url.json
version=$("$work/installed/bin/python" -c 'from radiod import __version__; print(__version__)')
"$tools/bin/cyclonedx-py" environment --output-reproducible --spec-version 1.6 --output-format JSON \
    --output-file "$dist/radiod-$version.cdx.json" "$work/installed/bin/python" 2>"$work/log" || {
    cat "$work/log" >&2
    exit 1
}
cd "$dist"
sha256sum radiod-*.whl radiod-*.tar.gz radiod-*.cdx.json >SHA256SUMS
cat SHA256SUMS
