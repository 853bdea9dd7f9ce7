#!/bin/sh
# Browser walks drive the system's Chromium. As root on Debian it is installed when missing; elsewhere the walks say what is missing.
set -u
have() { command -v "$1" >/dev/null 2>&1; }

missing=""
have chromium || have chromium-browser || have google-chrome || missing="$missing chromium"
have xgettext || missing="$missing gettext"
if have fc-list && [ -z "$(fc-list :lang=zh-tw 2>/dev/null | head -n 1)" ]; then missing="$missing fonts-noto-cjk"; fi
have fc-list || missing="$missing fontconfig fonts-noto-cjk"

[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && have apt-get; then
    echo "installing:$missing"
    export DEBIAN_FRONTEND=noninteractive
    (apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing) >/dev/null 2>&1 \
        || echo "could not install:$missing (tests that need them are skipped and say so)"
else
    echo "not on this machine:$missing (tests that need them are skipped and say so)"
fi
exit 0
