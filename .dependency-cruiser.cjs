// The import rules of this project. CONTRIBUTING.md states them in words, and `bun run check` enforces them.

/**
 * A rule for what a folder may import. Type imports count, so the rule covers what a file needs to be understood as well as
 * what it needs to run.
 */
const reaches = (name, comment, from, allowed) => ({
  name,
  comment,
  severity: "error",
  from: { path: from },
  to: { path: "^(src|views|tests|bench|scripts)/", pathNot: [from, ...allowed] },
});

/** A rule that lets only the files that `users` matches, of all files in a tree, import something. */
const only = (name, comment, tree, users, to) => ({
  name,
  comment,
  severity: "error",
  from: { path: `^${tree}/`, pathNot: users },
  to: { path: to },
});

/** The parts of the cluster, each with those that it may import beside the ports at the top of the folder. */
const CLUSTER_PARTS = {
  ids: [],
  links: [],
  offers: [],
  records: [],
  sharing: [],
  nats: ["records"],
  gossip: ["ids"],
  copies: ["ids", "gossip"],
  announcing: ["ids", "gossip"],
  presence: ["ids", "links", "gossip", "copies", "announcing"],
  balance: ["announcing", "presence"],
  pools: ["links", "offers", "sharing", "copies", "presence"],
  state: ["links", "pools"],
};

const clusterPart = ([part, others]) => ({
  name: `cluster-${part}`,
  comment: "Each part of the cluster imports only those below it.",
  severity: "error",
  from: { path: `^src/cluster/${part}/` },
  to: {
    path: "^src/cluster/([^/]+/|cluster\\.ts$|start\\.ts$)",
    pathNot: `^src/cluster/(${[part, ...others].join("|")})/`,
  },
});

/** Ports, error codes and JSON, which every folder may import. */
const SHARED = ["^src/errors\\.ts$", "^src/system/", "^src/json/"];

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "resolvable",
      comment: "This tool does not find what only a package's exports field names. Bun finds it.",
      severity: "error",
      from: {},
      to: {
        couldNotResolve: true,
        pathNot: "^(@modelcontextprotocol/(server|client|sdk)/|@sparticuz/chromium$|@nats-io/kv$)",
      },
    },
    {
      name: "nothing-imports-a-main",
      comment: "A main.ts is a process; importing it would start one.",
      severity: "error",
      from: {},
      to: { path: "(^|/)main\\.ts$" },
    },
    {
      name: "product-without-tools",
      comment: "Production code must not need tests, benchmarks, scripts or development packages.",
      severity: "error",
      from: { path: "^(src|views)/" },
      to: {
        path: "^(tests|bench|scripts)/|^node_modules/",
        dependencyTypes: ["npm-dev", "local", "npm-no-pkg", "npm-unknown"],
        dependencyTypesNot: ["type-only"],
      },
    },
    only(
      "core-knows-no-plugin",
      "Only plugins.ts lists the plugins.",
      "src",
      "^src/(plugins/|plugins\\.ts$|demo/)",
      "^src/plugins/",
    ),
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
      to: { path: ["^src/(app|plugins|listen|shutdown|serve)\\.ts$", "^src/(app|worker|demo)/"] },
    },
    {
      name: "views-take-types",
      comment:
        "A view is a function of a snapshot; it runs no code of src, except modules that pages load as they are.",
      severity: "error",
      from: { path: "^views/" },
      to: { path: "^src/", pathNot: "^src/join/lines\\.ts$", dependencyTypesNot: ["type-only"] },
    },
    reaches("system-reach", "The system folder depends on nothing else of the product.", "^src/(system|json)/", [
      "^package\\.json$",
    ]),
    reaches("wire-reach", "Both programs read the wire, which knows neither.", "^src/wire/", SHARED),
    reaches("tunnel-reach", "The tunnel knows the wire.", "^src/tunnel/", [...SHARED, "^src/wire/"]),
    reaches("store-reach", "The store knows the ports that it implements, and nothing that uses them.", "^src/store/", [
      ...SHARED,
      "^src/tunnel/owners\\.ts$",
      "^src/plugin/restrictions\\.ts$",
      "^src/auth/(sign-outs|token-keys)\\.ts$",
      "^src/audit/audit\\.ts$",
      "^src/calls/(call-records|past-call)\\.ts$",
      "^src/oauth/oauth-records\\.ts$",
      "^src/keys/(key|tenant)-(entry|records)\\.ts$",
      "^src/usage/(past-job|past-jobs|usage-records)\\.ts$",
    ]),
    only(
      "app-joins-the-parts",
      "The app is put together from all parts, so none of them knows it.",
      "src",
      "^src/(app/|(app|listen|shutdown|serve)\\.ts$|demo/)",
      "^src/app(/|\\.ts$)",
    ),
    only(
      "store-behind-its-ports",
      "Consumers declare what they want kept; only the process decides that a database keeps it.",
      "src",
      "^src/(serve\\.ts$|store/|cli/)",
      "^src/store/",
    ),
    reaches(
      "cluster-reach",
      "The cluster connects pools and tunnels of several servers, and knows no plugin, HTTP route or dashboard.",
      "^src/cluster/",
      [
        ...SHARED,
        "^src/keys/(key-changes|key-entry|key-records|shared-entry|shared-keys|shared-tenant|tenant-entry|tenant-records)\\.ts$",
        "^src/config\\.ts$",
        "^src/oauth/oauth-records\\.ts$",
        "^src/(auth|figures|plugin|pool|settings|tunnel|wire)/",
        "^src/limits/(elsewhere|limit-names)\\.ts$",
        "^src/state/cluster-facts\\.ts$",
      ],
    ),
    only(
      "cluster-behind-its-ports",
      "Consumers declare what they need of other servers; only the composition root knows that there are any.",
      "src",
      "^src/(app/|(app|serve)\\.ts$|cluster/)",
      "^src/cluster/",
    ),
    ...Object.entries(CLUSTER_PARTS).map(clusterPart),
    only(
      "nats-behind-the-bus",
      "The client takes long to load, and everything else of the cluster is tested without it.",
      "src",
      "^src/cluster/nats/",
      "(^|/)@nats-io/",
    ),
    only(
      "sockets-behind-the-source",
      "Areas get sessions from a SessionSource; only the composition root decides that they come from sockets.",
      "src",
      "^src/(app\\.ts$|tunnel/)",
      "^src/tunnel/(endpoint|local-sessions|sockets)\\.ts$",
    ),
    reaches("answering-reach", "The answering end knows the wire, and no worker.", "^src/answering/", [
      ...SHARED,
      "^src/wire/",
    ]),
    reaches("pool-reach", "The pool knows sessions, and no HTTP, endpoint, configuration or metrics.", "^src/pool/", [
      ...SHARED,
      "^src/auth/caller\\.ts$",
      "^src/wire/",
      "^src/tunnel/(session|exchange)\\.ts$",
      "^src/figures/(sliding-sum|recent-times)\\.ts$",
    ]),
    reaches(
      "affinity-reach",
      "What is known of prompts knows no requests, and of the pool one port.",
      "^src/affinity/",
      [...SHARED, "^src/pool/routing/affinity\\.ts$", "^src/wire/billing-line\\.ts$"],
    ),
    reaches("http-reach", "HTTP knows no pool and no worker.", "^src/http/", [
      ...SHARED,
      "^src/wire/",
      "^src/openapi/",
    ]),
    reaches("figures-reach", "Figures do not know what they count.", "^src/figures/", [
      ...SHARED,
      "^src/auth/caller\\.ts$",
    ]),
    reaches("settings-reach", "Settings do not know what they configure.", "^src/settings/", [...SHARED]),
    reaches("upload-reach", "An upload knows HTTP bodies and no plugin.", "^src/upload/", [
      ...SHARED,
      "^src/(http|wire)/",
      "^src/tunnel/exchange\\.ts$",
    ]),
    reaches("reply-reach", "A reply takes a job's answer to its client.", "^src/reply/", [
      ...SHARED,
      "^src/(http|pool|wire)/",
      "^src/tunnel/(session|exchange)\\.ts$",
    ]),
    reaches("auth-reach", "Authentication knows the configuration and HTTP.", "^src/auth/", [
      ...SHARED,
      "^src/config\\.ts$",
      "^src/http/",
      "^src/audit/audit\\.ts$",
      "^src/limits/recent-minute\\.ts$",
      "^src/oauth/connector\\.ts$",
      "^src/wire/(bearer|clean-text|mcp-call|worker-terms)\\.ts$",
    ]),
    reaches(
      "oauth-ports-reach",
      "What connector relays and the authorization server share is types.",
      "^src/oauth/connector\\.ts$",
      [...SHARED, "^src/http/visit\\.ts$", "^src/wire/mcp-call\\.ts$"],
    ),
    reaches("oauth-reach", "The authorization server knows who calls, and HTTP.", "^src/oauth/", [
      ...SHARED,
      "^src/(audit|auth|http|openapi|wire)/",
      "^src/config\\.ts$",
      "^src/plugin/route-context\\.ts$",
      "^views/",
    ]),
    {
      name: "oauth-library-behind-its-records",
      comment: "The library is loaded by one file, with records that two requests cannot change at once.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/oauth/(client-documents|consent|library)\\.ts$" },
      to: { path: "(^|/)@cloudflare/" },
    },
    reaches("oidc-reach", "The client of an issuer knows the port that it implements.", "^src/oidc/", [
      ...SHARED,
      "^src/auth/identity-provider\\.ts$",
    ]),
    {
      name: "openid-behind-the-port",
      comment: "The package dials out, which one file does; only the process decides that there is an issuer.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/oidc/issuer\\.ts$" },
      to: { path: "(^|/)openid-client" },
    },
    reaches("keys-reach", "Keys know who may call, and neither HTTP nor where they are kept.", "^src/keys/", [
      ...SHARED,
      "^src/wire/",
      "^src/auth/(caller|joining|keys)\\.ts$",
      "^src/pool/alias\\.ts$",
      "^src/settings/(nearest|parse-yaml)\\.ts$",
    ]),
    reaches("limits-reach", "Limits know what a key states, and nothing that is limited.", "^src/limits/", [
      ...SHARED,
      "^src/keys/key-terms\\.ts$",
    ]),
    reaches(
      "audit-reach",
      "The trail of operators knows the door for them, and nobody who writes in it.",
      "^src/audit/",
      [
        ...SHARED,
        "^src/auth/operator-door\\.ts$",
        "^src/http/query\\.ts$",
        "^src/openapi/",
        "^src/plugin/(joined-trails|peer-readings|route-context)\\.ts$",
      ],
    ),
    reaches("usage-reach", "Usage is what requests have used, whichever plugin served them.", "^src/usage/", [
      ...SHARED,
      "^src/auth/operator-door\\.ts$",
      "^src/http/(query|query-queue)\\.ts$",
      "^src/openapi/",
      "^src/plugin/(details|ended-requests|failure-cause|peer-readings|route-context)\\.ts$",
    ]),
    reaches("calls-reach", "Kept calls know the door for operators, and nobody who calls.", "^src/calls/", [
      ...SHARED,
      "^src/auth/operator-door\\.ts$",
      "^src/http/(query|query-queue)\\.ts$",
      "^src/openapi/",
      "^src/plugin/(ended-calls|joined-trails|peer-readings|route-context)\\.ts$",
      "^src/wire/(clean-text|mcp-call)\\.ts$",
    ]),
    reaches("admin-reach", "What operators do with keys knows the keys, and no plugin or pool.", "^src/admin/", [
      ...SHARED,
      "^src/(auth|http|keys|limits|openapi|usage)/",
      "^src/audit/audit\\.ts$",
      "^src/plugin/route-context\\.ts$",
      "^src/settings/units\\.ts$",
    ]),
    reaches("openapi-reach", "The description of the API knows nobody who is described.", "^src/openapi/", [...SHARED]),
    reaches(
      "plugin-reach",
      "What a plugin is knows the parts of the server, and none of what plugins build on.",
      "^src/plugin/",
      [
        ...SHARED,
        "^src/config\\.ts$",
        "^src/oauth/connector\\.ts$",
        "^src/(auth|figures|http|openapi|settings|tunnel|upload|wire)/",
        "^src/pool/(charge|claim|pool|remotes|seat)\\.ts$",
      ],
    ),
    reaches(
      "models-reach",
      "What plugins of model workers build on knows no reply and no page but its own view.",
      "^src/models/",
      [...SHARED, "^src/config\\.ts$", "^src/(auth|figures|http|openapi|plugin|pool|tunnel|wire)/", "^views/parts/"],
    ),
    reaches(
      "state-reach",
      "The state asks plugins through their ports and knows neither pool nor tunnel.",
      "^src/state/",
      [...SHARED, "^src/config\\.ts$", "^src/audit/audit\\.ts$", "^src/(auth|figures|http|openapi|plugin)/", "^views/"],
    ),
    reaches("front-reach", "The front page says what is true of every server.", "^src/front/", [
      ...SHARED,
      "^src/(auth|openapi)/",
      "^src/join/origin\\.ts$",
      "^src/plugin/route-context\\.ts$",
      "^views/",
    ]),
    reaches("join-reach", "Machines that join get files and lines; no worker is known here.", "^src/join/", [
      ...SHARED,
      "^src/(auth|http|openapi)/",
      "^src/plugin/route-context\\.ts$",
      "^views/",
    ]),
    {
      name: "join-lines-alone",
      comment: "Pages load this file in browsers.",
      severity: "error",
      from: { path: "^src/join/lines\\.ts$" },
      to: {},
    },
    reaches("packing-reach", "The package is made of files, whatever they do.", "^src/packing/", [
      ...SHARED,
      "^package\\.json$",
    ]),
    reaches("cli-reach", "The command line knows each program by its door.", "^src/cli/", [
      ...SHARED,
      "^src/(config|plugins|serve)\\.ts$",
      // A command for operators answers in place of a server that does not run, so it is built from the same routes.
      "^src/(admin|audit|calls|http|keys|limits|store|usage)/",
      "^src/oauth/(grant-routes|grant-uses|grants|oauth-table)\\.ts$",
      "^src/auth/caller\\.ts$",
      "^src/plugin/route-context\\.ts$",
      "^src/wire/clean-text\\.ts$",
      "^src/worker/server-url\\.ts$",
      "^src/(worker|doctor|demo)/program\\.ts$",
      "^src/settings/",
    ]),
    reaches("worker-reach", "The worker knows the wire and the answering end, never the tunnel.", "^src/worker/", [
      ...SHARED,
      "^src/(answering|wire|settings)/",
      "^src/doctor/program\\.ts$",
      "^src/service/(program|program-files|service-verb)\\.ts$",
    ]),
    reaches("service-reach", "A service is a worker's settings in the form of a system.", "^src/service/", [
      ...SHARED,
      "^src/(settings|packing|worker)/",
    ]),
    reaches("doctor-reach", "The doctor is built from the worker's parts.", "^src/doctor/", [
      ...SHARED,
      "^src/(answering|wire|settings|worker)/",
      "^src/keys/key-text\\.ts$",
    ]),
    only(
      "doctor-is-an-end",
      "The doctor uses the worker's parts; only the worker's program and the command line know the doctor.",
      "(src|views)",
      "^src/(cli|doctor)/|^src/worker/program\\.ts$",
      "^src/doctor/",
    ),
    only(
      "cli-is-an-end",
      "The command line starts programs; only the server's program has commands of it.",
      "(src|views)",
      "^src/(cli/|main\\.ts$)",
      "^src/cli/",
    ),
    only(
      "demo-is-an-end",
      "The demo uses the product; only the command line knows the demo.",
      "(src|views)",
      "^src/(cli|demo)/",
      "^src/demo/",
    ),
  ],
  options: {
    tsConfig: { fileName: "tsconfig.json" },
    // Types count as imports too, so that a rule can tell them from what runs.
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    builtInModules: { add: ["bun", "bun:test", "bun:jsc", "bun:ffi", "bun:sqlite"] },
  },
};
