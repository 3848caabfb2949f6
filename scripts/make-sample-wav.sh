#!/bin/sh
# Makes docs/sample.wav, the recording that the demo's transcription command sends, and views/client/ahoy.wav, with which the
# dashboard asks a new worker for a first transcription: 16 kHz, mono, 16 bits.
# Nothing runs this script; its results are in the repository. It needs Debian's packages flite and sox.
set -eu
cd "$(dirname "$0")/.."
speech=$(mktemp --suffix=.wav)
trap 'rm -f "$speech"' EXIT
flite -voice rms -t "The old ship is in the harbor." -o "$speech"
# Without dither, the same words give the same bytes.
sox --no-dither "$speech" -r 16000 -b 16 -c 1 docs/sample.wav gain -n -3
flite -voice slt -t "Ship ahoy" -o views/client/ahoy.wav
