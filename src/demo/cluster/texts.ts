import { shellWord } from "../../worker/curl.ts";
import type { Fate, LoadFigures } from "./load.ts";
import type { Machine } from "./machine.ts";
import type { Act, Target } from "./orders.ts";

export interface ClusterGuideFacts {
  /** The address of the load balancer. */
  readonly url: string;
  readonly apiKey: string;
  readonly clientKey: string;
  readonly model: string;
  readonly servers: readonly { readonly name: string; readonly url: string }[];
  /** The version of nats-server, and where it was found. */
  readonly nats: string;
  readonly workers: number;
  readonly streams: number;
  /** What starts this program again: `launcherWords`. */
  readonly launcher: string;
}

/** The text that the demo prints when the cluster is up. */
export function clusterGuide(facts: ClusterGuideFacts): string {
  const { url, apiKey, clientKey, model, servers, nats, workers, streams, launcher } = facts;
  const chat = JSON.stringify({
    model,
    stream: true,
    messages: [{ role: "user", content: "What floats in a harbour?" }],
  });
  const lines = [
    "",
    `Moorage is running as a cluster of ${servers.length} servers on this machine:`,
    `  nats-server ${nats} joins them`,
    `  ${workers} workers have dialled out to ${url}, a minimal load balancer`,
    `  ${streams} clients send one request after the other, mostly streams`,
    "",
    `  base URL for OpenAI clients   ${url}/v1`,
    `  API key                       ${apiKey}`,
    ...servers.map(
      ({ name, url: own }, at) =>
        `  ${at === 0 ? "dashboards" : "          "}                    ${own}/state  (${name})`,
    ),
    "",
    "Each dashboard shows the whole cluster; sign in with the API key. Any server serves any model:",
    "",
    `  export API_KEY=${apiKey}`,
    `  curl -N -H "Authorization: Bearer $API_KEY" -H 'Content-Type: application/json' ${servers[0]?.url}/v1/chat/completions -d ${shellWord(chat)}`,
    "",
    "To connect another worker:",
    "",
    `  ${launcher} worker llm --server ${url} --client-key ${clientKey} --backend http://127.0.0.1:11434/v1`,
    "",
    ...HELP,
    "",
  ];
  return `${lines.join("\n")}\n`;
}

const HELP: readonly string[] = [
  "Type here, and watch the streams:",
  "  kill 2       kills server 2 (kill -9); only streams that ran through it break",
  "  stop 2       stops server 2 in order: its streams finish, and its workers move to the others",
  "  start 2      starts it again; 'restart 2' does both",
  "  roll         restarts all servers in order, one after the other; no stream breaks",
  "  freeze 2     freezes server 2 without closing its connections, as a lost network would; 'thaw 2' lets it continue",
  "  kill nats    the same commands work for nats: no stream breaks without it",
  "  load 40      runs 40 clients; 'load 0' stops them",
  "  status       prints what runs where; 'quit' or Ctrl-C stops everything",
];

export const helpText = `${HELP.join("\n")}\n`;

/** The text for a machine that has no nats-server and cannot fetch one. */
export function noNatsText(tried: readonly string[]): string {
  return [
    "A cluster needs nats-server, and there is none on this machine:",
    ...tried.map((each) => `  - ${each}`),
    "Install it, and run the demo again:",
    "  Debian, Ubuntu   apt-get install nats-server",
    "  macOS            brew install nats-server",
    "  Windows          choco install nats-server",
    "  any system       https://github.com/nats-io/nats-server/releases",
    "",
  ].join("\n");
}

/** The text before a command for one process that takes a while; undefined for the others. */
export function beginText(act: Act, { name, state }: Machine, streams: number | undefined): string | undefined {
  if (state !== "up" || (act !== "stop" && act !== "restart")) return undefined;
  return `${name} is stopping${streams === undefined ? "" : `: its ${counted(streams, "stream")} may finish first`}\n`;
}

/** The answer to a command for one process: the state that it has now. */
export function actText(act: Act, target: Target, { name, state }: Machine): string {
  const hint = state === "frozen" && act === "start" ? `: 'thaw ${target}' lets it run on` : "";
  return `${name} is ${state}${hint}\n`;
}

/** What became of the requests that were under way at a command; undefined if there were none. */
export function fateText(command: string, { whole, broken, retried }: Fate): string | undefined {
  const all = whole + broken + retried;
  if (all === 0) return undefined;
  if (whole === all) return `Of ${counted(all, "request")} under way at '${command}', none was harmed.\n`;
  const parts = [
    `${whole} ended whole`,
    ...(broken === 0 ? [] : [`${broken} broke off`]),
    ...(retried === 0 ? [] : [`${retried} had no answer yet and went to another server`]),
  ];
  return `Of ${counted(all, "request")} under way at '${command}', ${parts.slice(0, -1).join(", ")}${parts.length > 1 ? " and " : ""}${parts.at(-1)}.\n`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** The answer to `status`: the processes, and the outcomes of the requests. */
export function statusText(machines: readonly Machine[], load: LoadFigures): string {
  const each = machines.map(({ name, state }, at) => {
    const streams = load.runningAt[at];
    return `${name} ${state}${streams === undefined ? "" : `, streams: ${streams}`}`;
  });
  return `${each.join(" · ")}\n${load.running} streams run; ${load.whole} requests answered, ${load.broken} broken, ${load.retried} sent again to another server\n`;
}

/** Reports the broken streams and repeated requests between two readings; undefined if there are none. */
export function lossText(before: LoadFigures, now: LoadFigures): string | undefined {
  const broken = now.broken - before.broken;
  const retried = now.retried - before.retried;
  if (broken === 0 && retried === 0) return undefined;
  const parts = [
    ...(broken === 0 ? [] : [`${counted(broken, "stream")} broke off`]),
    ...(retried === 0
      ? []
      : [`${retried} ${retried === 1 ? "request was" : "requests were"} sent again to another server`]),
  ];
  return `${parts.join(", ")}\n`;
}
