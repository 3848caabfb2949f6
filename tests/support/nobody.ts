import type { Origin } from "../../src/auth/caller.ts";

/** The origin of a request that no client sent. */
export const NOBODY: Origin = { name: "anonymous", tenant: "default", address: undefined, route: "/" };
