import { EXIT_CONFIG } from "../settings/read-settings.ts";
import { systemClock } from "../system/clock.ts";
import { systemIds } from "../system/ids.ts";
import { silentLog } from "../system/log.ts";
import { VERSION } from "../system/version.ts";
import { identityFileAt, memoryIdentityFile } from "../worker/identity-file.ts";
import { homeOf, identityPath, withEmptyStateFile } from "../worker/identity-path.ts";
import { type DoctorSources, loadDoctorSettings } from "./args.ts";
import { examine } from "./doctor.ts";
import { readOwnKey } from "./own-key.ts";
import { heading, jsonReport, resultText, skippedText, summary } from "./report.ts";
import { isSound } from "./run.ts";
import { toTarget } from "./target.ts";

/** The program's outputs. */
export interface Streams {
  out(text: string): void;
  err(text: string): void;
}

const EXIT_SOUND = 0;
const EXIT_TO_MEND = 1;

/** Runs the doctor as a program. `sources.argv` begins after its name. Resolves to the exit code. */
export async function runDoctor(sources: Omit<DoctorSources, "version">, { out, err }: Streams): Promise<number> {
  const env = withEmptyStateFile(sources.env);
  const loaded = loadDoctorSettings({ ...sources, env, version: VERSION });
  if (loaded.kind === "print") {
    out(`${loaded.text}\n`);
    return EXIT_SOUND;
  }
  if (loaded.kind === "faults") {
    err(`The settings are not valid:\n${loaded.faults.map((fault) => `  - ${fault}\n`).join("")}`);
    return EXIT_CONFIG;
  }
  const { config } = loaded;
  const place = { platform: process.platform, env, home: homeOf(env) };
  const path = identityPath({ stateFile: undefined, id: undefined, ...config }, place);
  const target = toTarget(
    config,
    readOwnKey(config, path === undefined ? memoryIdentityFile("this process") : identityFileAt(path)),
  );
  const isJson = loaded.config.json === "true";
  const facts = { server: target.server, version: VERSION };
  const startedAt = systemClock.elapsed();
  if (!isJson) out(`${heading(facts)}\n`);
  const results = await examine(target, VERSION, { clock: systemClock, ids: systemIds, log: silentLog }, (result) => {
    if (!isJson && result.verdict !== "skipped") out(`${resultText(result)}\n`);
  });
  const skipped = isJson ? "" : skippedText(results);
  if (skipped !== "") out(`${skipped}\n`);
  const elapsedMs = systemClock.elapsed() - startedAt;
  out(`${isJson ? jsonReport({ ...facts, elapsedMs }, results) : summary(results, elapsedMs)}\n`);
  return isSound(results) ? EXIT_SOUND : EXIT_TO_MEND;
}
