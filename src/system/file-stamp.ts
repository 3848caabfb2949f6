import { stat } from "node:fs/promises";

/**
 * Returns a text that differs for each version of a file; undefined if it cannot be found. A link that leads to another file
 * is another version, as when Kubernetes replaces a volume.
 */
export async function fileStamp(path: string): Promise<string | undefined> {
  try {
    const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true });
    return `${dev} ${ino} ${size} ${mtimeNs}`;
  } catch (error) {
    if (error instanceof Error && "code" in error) return undefined;
    throw error;
  }
}
