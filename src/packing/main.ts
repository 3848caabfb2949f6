import { TOP_FOLDER } from "../system/own-program.ts";
import { packageFiles } from "./bundle.ts";
import { toTarball } from "./tar.ts";

// Writes the npm package to standard output. A server that runs from its sources starts this in a process of its own.
await Bun.write(Bun.stdout, await toTarball(await packageFiles(TOP_FOLDER)));
