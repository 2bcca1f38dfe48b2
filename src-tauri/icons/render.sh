#!/bin/sh
# Makes the PNGs of the drawings beside this; needs rsvg-convert (librsvg2-bin).
set -eu
cd "$(dirname "$0")"
render() { rsvg-convert --width "$2" --height "$2" "$1.svg" --output "$3.png"; }
render icon 32 32x32
render icon 128 128x128
render icon 256 128x128@2x
render icon 512 icon
render tray 64 tray
render tray-unread 64 tray-unread
