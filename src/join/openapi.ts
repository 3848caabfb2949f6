import * as v from "valibot";
import { errorResponses, jsonAnswer, rawAnswer } from "../openapi/schema.ts";

// What the OpenAPI document says about the routes by which machines join. All of them are public.

const tags = ["Workers"];
const security: Record<string, string[]>[] = [];

const lineSchema = v.object({
  system: v.pipe(v.picklist(["any", "linux", "macos", "windows"]), v.description("Where the line works.")),
  label: v.pipe(v.string(), v.description("What the machine needs, for people.")),
  shell: v.picklist(["sh", "powershell"]),
  text: v.pipe(v.string(), v.description("The line to paste.")),
});

const factsSchema = v.pipe(
  v.object({
    origin: v.pipe(v.string(), v.description("The origin at which the machine reaches this server.")),
    version: v.pipe(v.string(), v.description("The version of this server, and of the worker that it hands out.")),
    tarball: v.pipe(v.string(), v.description("The URL of the package.")),
    needs: v.pipe(
      v.picklist(["join_token", "client_key", "nothing"]),
      v.description("What lets a worker in. `client_key` where the server makes no join tokens."),
    ),
    kinds: v.array(v.object({ kind: v.picklist(["llm", "asr", "mcp"]), lines: v.array(lineSchema) })),
  }),
  v.description("How to add a worker."),
);

const SCRIPT =
  "Runs this server's own version of the program with the words that it is given, by npx or bunx, and adds `--server` for a worker. It contains no secret.";

export const PAGE_DETAIL = {
  tags,
  security,
  summary: "How to add a worker",
  description:
    "A page for browsers, JSON for `Accept: application/json`, and plain text for everything else. Its lines contain placeholders for secrets.",
  responses: {
    200: {
      description: "The lines, for each system.",
      content: {
        ...jsonAnswer(factsSchema).content,
        ...rawAnswer("text/html", "").content,
        ...rawAnswer("text/plain", "").content,
      },
    },
    ...errorResponses("host_not_allowed", "method_not_allowed"),
  },
};

export const SH_DETAIL = {
  tags,
  security,
  summary: "Script that runs a worker on Linux and macOS",
  description: SCRIPT,
  responses: {
    200: rawAnswer("text/plain", "A script for any POSIX shell."),
    ...errorResponses("host_not_allowed", "method_not_allowed"),
  },
};

export const POWERSHELL_DETAIL = {
  ...SH_DETAIL,
  summary: "Script that runs a worker on Windows",
  responses: {
    200: rawAnswer("text/plain", "A script for PowerShell 5.1 and later."),
    ...errorResponses("host_not_allowed", "method_not_allowed"),
  },
};

export const PACKAGE_DETAIL = {
  tags,
  security,
  summary: "Package of this server's version",
  description:
    "The file that `npm pack` makes, for `npx`. `moorage.tgz` redirects to `moorage-{version}.tgz`; other versions are not here.",
  responses: {
    200: rawAnswer("application/gzip", "The package."),
    302: { description: "The path of the package with its version." },
    304: { description: "The package has not changed." },
    ...errorResponses("unknown_url", "method_not_allowed", "package_unavailable"),
  },
};
