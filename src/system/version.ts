import manifest from "../../package.json" with { type: "json" };

/** The version of server and worker: one package, one number. */
export const VERSION: string = manifest.version;
