import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isRecord, parseJson } from "../json/parse.ts";
import type { LockedPackage } from "./lock.ts";

const LICENSE_FILE = /^(?:licen[cs]e|copying|notice)(?:[.-].*)?$/i;

/** Returns the licences of the packages whose code is bundled, which their authors require. `top` is the folder of the sources. */
export function licenseNotices(packages: readonly LockedPackage[], top: string): string {
  const texts = new Map(packages.map((each) => [`${each.name} ${each.version}`, licenseText(join(top, each.folder))]));
  const parts = [...texts].map(([title, text]) => `${"-".repeat(80)}\n${title}\n\n${text.trim()}\n`);
  return `This program contains parts of the following packages.\n\n${parts.join("\n")}`;
}

function licenseText(folder: string): string {
  const files = readdirSync(folder).filter((name) => LICENSE_FILE.test(name));
  const texts = files.sort().map((name) => readFileSync(join(folder, name), "utf8").replaceAll("\r\n", "\n"));
  return texts.length > 0 ? texts.join("\n") : `License: ${licenseName(folder) ?? "see its package"}`;
}

/** Returns the licence that the package in a folder states, by its SPDX expression; undefined if it states none. */
export function licenseName(folder: string): string | undefined {
  const manifest = parseJson(readFileSync(join(folder, "package.json"), "utf8"));
  const license = isRecord(manifest) ? manifest["license"] : undefined;
  return typeof license === "string" ? license : undefined;
}
