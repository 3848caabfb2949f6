// The import rules of this project; CONTRIBUTING.md says them in words. `bun run check` holds the tree to them.

/** Files that `from` may reach when the program runs; what only types need is left out of these rules. */
const reaches = (name, from, allowed) => ({
  name,
  severity: "error",
  from: { path: from },
  to: { path: "^(src|views|tests|bench|scripts)/", pathNot: [from, ...allowed], dependencyTypesNot: ["type-only"] },
});

const SHARED = "^src/(errors|deps|clock|json/parse)\\.ts$";

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true, dependencyTypesNot: ["type-only"] } },
    {
      name: "resolvable",
      comment: "A subpath of a package that only its exports field names is not found by this tool; Bun finds it.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true, pathNot: "^(@modelcontextprotocol/(server|client|sdk)/|@sparticuz/chromium$)" },
    },
    {
      name: "nothing-imports-a-main",
      comment: "A main.ts is a process: importing it would start one.",
      severity: "error",
      from: {},
      to: { path: "(^|/)main\\.ts$" },
    },
    {
      name: "product-without-tools",
      comment: "What runs in production must not need tests, benchmarks, scripts or development packages.",
      severity: "error",
      from: { path: "^(src|views)/" },
      to: {
        path: "^(tests|bench|scripts)/|^node_modules/",
        dependencyTypes: ["npm-dev", "local", "npm-no-pkg", "npm-unknown"],
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "core-knows-no-plugin",
      comment: "Only plugins.ts lists the plugins.",
      severity: "error",
      from: { path: "^src/", pathNot: ["^src/plugins/", "^src/plugins\\.ts$", "^src/demo/"] },
      to: { path: "^src/plugins/" },
    },
    {
      name: "plugins-apart",
      comment: "A plugin never imports another one.",
      severity: "error",
      from: { path: "^src/plugins/([^/]+)/" },
      to: { path: "^src/plugins/", pathNot: "^src/plugins/$1/" },
    },
    {
      name: "plugins-below-app",
      severity: "error",
      from: { path: "^src/plugins/" },
      to: { path: ["^src/(app|plugins|listen|shutdown)\\.ts$", "^src/(worker|demo)/"] },
    },
    {
      name: "views-take-types",
      comment: "A view is a function of a snapshot; it runs nothing of src.",
      severity: "error",
      from: { path: "^views/" },
      to: { path: "^src/", dependencyTypesNot: ["type-only"] },
    },
    reaches("tunnel-reach", "^src/tunnel/", [SHARED]),
    reaches("pool-reach", "^src/pool/", [SHARED, "^src/(tunnel|recent)/"]),
    reaches("http-reach", "^src/http/", [SHARED, "^src/(tunnel|pool|openapi|json)/"]),
    reaches("settings-reach", "^src/settings/", [SHARED]),
    reaches("worker-reach", "^src/worker/", [
      SHARED,
      "^src/(tunnel|settings)/",
      "^src/(log|log-writer|ids|version)\\.ts$",
      "^package\\.json$",
      "^src/doctor/program\\.ts$",
    ]),
    reaches("doctor-reach", "^src/doctor/", [
      SHARED,
      "^src/(tunnel|settings|worker)/",
      "^src/(log|ids|version)\\.ts$",
      "^package\\.json$",
    ]),
    {
      name: "doctor-is-an-end",
      comment: "The doctor uses the worker's parts; of the worker only its process knows the doctor.",
      severity: "error",
      from: { path: "^(src|views)/", pathNot: "^src/(doctor/|worker/main\\.ts$)" },
      to: { path: "^src/doctor/" },
    },
    {
      name: "demo-is-an-end",
      comment: "The demo uses the product; nothing of the product uses the demo.",
      severity: "error",
      from: { path: "^(src|views)/", pathNot: "^src/demo/" },
      to: { path: "^src/demo/" },
    },
  ],
  options: {
    tsConfig: { fileName: "tsconfig.json" },
    // Types count as imports too, so that a rule can tell them from what runs.
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    builtInModules: { add: ["bun", "bun:test", "bun:jsc", "bun:ffi", "bun:sqlite"] },
  },
};
