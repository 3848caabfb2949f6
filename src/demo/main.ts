import { runDemo } from "./program.ts";

await runDemo();
