import { promisify } from "node:util";
import { gzip } from "node:zlib";

/** A file in an archive. */
export interface PackedFile {
  /** Relative, with slashes. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

const BLOCK = 512;
/** 1985-10-26 08:15 UTC in seconds: the time that npm gives to all files, so that equal files make equal archives. */
const PACKED_AT = 499_162_500;

/**
 * Returns a tar archive in the form of a npm package: below `package/`, and without anything that depends on who makes it or
 * when. `Bun.Archive` writes the present time. Throws if a path is longer than the format takes.
 */
export function toTar(files: readonly PackedFile[]): Uint8Array {
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const parts = sorted.flatMap(({ path, bytes }) => [
    header(`package/${path}`, bytes.length, path.startsWith("bin/")),
    bytes,
    new Uint8Array(-bytes.length & (BLOCK - 1)),
  ]);
  // Two empty blocks end an archive.
  return Bun.concatArrayBuffers([...parts, new Uint8Array(2 * BLOCK)], Number.POSITIVE_INFINITY, true);
}

/** Packs files as npm does. The result depends on nothing but the files and the version of Bun. */
export async function toTarball(files: readonly PackedFile[]): Promise<Uint8Array> {
  const bytes = await promisify(gzip)(toTar(files), { level: 9 });
  bytes[SYSTEM_AT] = UNKNOWN_SYSTEM;
  return bytes;
}

/** The byte of a gzip header that names the system on which it was made. */
const SYSTEM_AT = 9;
const UNKNOWN_SYSTEM = 255;

/** Returns the block before a file in the format ustar. */
function header(path: string, size: number, isProgram: boolean): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (text: string, at: number): void => {
    block.set(new TextEncoder().encode(text), at);
  };
  const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, "0");
  if (path.length > 100 || !/^[\x20-\x7e]+$/.test(path)) throw new Error(`a tar archive cannot name ${path}`);
  put(path, 0);
  put(octal(isProgram ? 0o755 : 0o644, 7), 100);
  put(octal(0, 7), 108);
  put(octal(0, 7), 116);
  put(octal(size, 11), 124);
  put(octal(PACKED_AT, 11), 136);
  // The checksum counts its own place as blanks.
  put("        ", 148);
  put("0", 156);
  put("ustar\x0000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(`${octal(sum, 6)}\0 `, 148);
  return block;
}
