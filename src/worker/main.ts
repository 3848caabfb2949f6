import { runWorker } from "./program.ts";

runWorker(process.argv.slice(2));
