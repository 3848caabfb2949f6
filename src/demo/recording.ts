import { copyFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clientFiles } from "../system/browser-files.ts";
import { FORM } from "../system/own-program.ts";

/** The recording of the sources, from their top folder, in which `bun run` starts every program. */
const OF_SOURCES = "docs/sample.wav";
/** The sample of the dashboard, which every form of the program contains. */
const OF_PAGES = "ahoy.wav";

/**
 * Returns the path of a recording that other programs can read, for a command that is pasted into a terminal. Nothing outside a
 * binary can read the binary's files, so it copies this one to a temporary folder; the system removes it in time.
 */
export function recordingPath(): string {
  if (FORM === "sources") return OF_SOURCES;
  const own = clientFiles().get(OF_PAGES) ?? "";
  if (FORM === "package") return own;
  const copy = join(mkdtempSync(join(tmpdir(), "moorage-demo-")), OF_PAGES);
  copyFileSync(own, copy);
  return copy;
}
