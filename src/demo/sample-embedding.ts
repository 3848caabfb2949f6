/** Dimensions of a vector unless the request sets them. */
const DIMENSIONS = 256;
export const MAX_DIMENSIONS = 4096;

/** One input of an embeddings request: text, or the tokens that some clients send instead. */
export type EmbeddingInput = string | readonly number[];

/**
 * Computes a vector of length 1 from the input alone: its words and their three-letter pieces are hashed into `dimensions`
 * buckets. Texts that share words get similar vectors; their meaning has no influence.
 */
export function toVector(input: EmbeddingInput, dimensions = DIMENSIONS): Float32Array {
  const sums = new Float64Array(dimensions);
  for (const [feature, weight] of featuresOf(input)) {
    const hash = hashOf(feature);
    const bucket = (hash >>> 1) % dimensions;
    // With the sign, features in one bucket cancel out instead of making different texts similar.
    sums[bucket] = (sums[bucket] ?? 0) + (hash & 1 ? weight : -weight);
  }
  const length = Math.hypot(...sums);
  // Text without letters, or with features that cancel out, gets a fixed direction.
  if (length === 0) return Float32Array.from(sums, (_, index) => (index === 0 ? 1 : 0));
  return Float32Array.from(sums, (sum) => sum / length);
}

/** Encodes a vector as the OpenAI API does: numbers, or base64 of little-endian 32-bit floats on request. */
export function encodeVector(vector: Float32Array, format: "float" | "base64"): string | number[] {
  if (format === "float") return [...vector];
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4);
  return bytes.toString("base64");
}

/** Splits text into words, which the sample counts as tokens. */
export function countTokens(input: EmbeddingInput): number {
  return typeof input === "string" ? wordsOf(input).length : input.length;
}

function featuresOf(input: EmbeddingInput): [feature: string, weight: number][] {
  if (typeof input !== "string") return input.map((token) => [`token ${token}`, 1]);
  return wordsOf(input.toLowerCase()).flatMap((word): [string, number][] => {
    const padded = `^${word}$`;
    const pieces = Array.from({ length: padded.length - 2 }, (_, at): [string, number] => [
      padded.slice(at, at + 3),
      0.25,
    ]);
    return [[`word ${word}`, 1], ...pieces];
  });
}

function wordsOf(text: string): readonly string[] {
  return text.match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** FNV-1a, 32 bits, with a final mix because the low bits choose the bucket. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
