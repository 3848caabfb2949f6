/** The header of a PCM recording. */
export interface WavFacts {
  readonly channels: number;
  /** Samples per second and channel. */
  readonly sampleRate: number;
  readonly seconds: number;
}

/** Format codes of uncompressed samples: 1 for integers, 3 for floating point. */
const PCM = 1;
const FLOAT = 3;
/** Format code that refers to the chunk's extension for the real format. */
const EXTENSIBLE = 0xfffe;
/** The most chunks that may stand before the sound, such as notes, cue points and padding. */
const MAX_CHUNKS = 64;

/**
 * Reads the header of an uncompressed WAV file of `size` bytes, of which `bytes` is the start; undefined for anything
 * else. Never throws.
 */
export function readWav(bytes: Uint8Array, size = bytes.length): WavFacts | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (tag(bytes, 0) !== "RIFF" || tag(bytes, 8) !== "WAVE") return undefined;
  let format: Format | undefined;
  let at = 12;
  for (let chunk = 0; chunk < MAX_CHUNKS && at + 8 <= bytes.length; chunk += 1) {
    const name = tag(bytes, at);
    const length = view.getUint32(at + 4, true);
    const from = at + 8;
    if (name === "fmt ") format = readFormat(view, from, length);
    // A recorder that streams cannot know the size and writes the largest value, or 0; then the file's end decides.
    if (name === "data")
      return format && toFacts(format, isOpenEnded(length) ? size - from : Math.min(length, size - from));
    // Chunks begin at even offsets.
    at = from + length + (length % 2);
  }
  return undefined;
}

interface Format {
  readonly channels: number;
  readonly sampleRate: number;
  /** Bytes of one sample in every channel. */
  readonly frameBytes: number;
}

function readFormat(view: DataView, at: number, size: number): Format | undefined {
  if (size < 16 || at + size > view.byteLength) return undefined;
  const stated = view.getUint16(at, true);
  const code = stated === EXTENSIBLE && size >= 40 ? view.getUint16(at + 24, true) : stated;
  const channels = view.getUint16(at + 2, true);
  const sampleRate = view.getUint32(at + 4, true);
  const frameBytes = view.getUint16(at + 12, true);
  const isUsable = (code === PCM || code === FLOAT) && channels > 0 && sampleRate > 0 && frameBytes > 0;
  return isUsable ? { channels, sampleRate, frameBytes } : undefined;
}

function toFacts({ channels, sampleRate, frameBytes }: Format, dataBytes: number): WavFacts {
  return { channels, sampleRate, seconds: Math.floor(dataBytes / frameBytes) / sampleRate };
}

function isOpenEnded(size: number): boolean {
  return size === 0 || size === 0xffff_ffff;
}

function tag(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}
