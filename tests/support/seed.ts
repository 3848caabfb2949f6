import fc from "fast-check";
import { times } from "./times.ts";

// One seed for all random tests. Set FAST_CHECK_SEED to another number to try other inputs.
fc.configureGlobal({ seed: Number(process.env["FAST_CHECK_SEED"] ?? 1), numRuns: times(100) });
