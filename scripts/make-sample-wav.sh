#!/bin/sh
# Makes docs/sample.wav, the recording of the guide's transcription line: 16 kHz, one channel, 16 bits.
# Nothing runs this; the file it makes is in the repository. It needs Debian's packages flite and sox.
set -eu
cd "$(dirname "$0")/.."
speech=$(mktemp --suffix=.wav)
trap 'rm -f "$speech"' EXIT
flite -voice rms -t "The old ship is in the harbor." -o "$speech"
# Without dither the same words give the same bytes.
sox --no-dither "$speech" -r 16000 -b 16 -c 1 docs/sample.wav gain -n -3
