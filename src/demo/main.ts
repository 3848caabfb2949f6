import { runDemo } from "./program.ts";

await runDemo(process.argv.slice(2));
