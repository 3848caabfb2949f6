import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Need } from "../support/lacks.ts";

/** The directory of the virtual environment. It is below `node_modules`, which no tool of this project reads or commits. */
export const ENVIRONMENT = join(import.meta.dir, "../../node_modules/.cache/python");
export const REQUIREMENTS = join(import.meta.dir, "requirements.txt");
/** The Python of the virtual environment. */
export const PYTHON = join(ENVIRONMENT, "bin/python");
/** Holds the pins that the environment was made from. It is written last, so that half an environment never counts. */
export const STAMP = join(ENVIRONMENT, "installed.txt");

/** The pinned Python packages, in the virtual environment that `bun run test:real` makes. */
export const PYTHON_PACKAGES: Need = {
  name: "virtual environment with the pinned Python packages",
  isThere: () => existsSync(STAMP) && readFileSync(STAMP, "utf8") === readFileSync(REQUIREMENTS, "utf8"),
  package: "python-packages",
  install: "bun run test:real",
};
