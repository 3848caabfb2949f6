import type { Machine } from "./machine.ts";

/** What can be done to a server, or to nats-server. */
export type Act = "kill" | "stop" | "start" | "restart" | "freeze" | "thaw";

/** A server by its number, beginning with 1, or the nats-server. */
export type Target = number | "nats";

/** A line that was typed into the terminal of the demo. */
export type Order =
  | { readonly kind: "act"; readonly act: Act; readonly target: Target }
  | { readonly kind: "roll" }
  | { readonly kind: "load"; readonly streams: number }
  | { readonly kind: "status" }
  | { readonly kind: "help" }
  | { readonly kind: "quit" }
  | { readonly kind: "nothing" }
  | { readonly kind: "fault"; readonly text: string };

/** Whether this could harm requests: the process runs, and stops or freezes. */
export function isDisturbing(act: Act, { state }: Machine): boolean {
  return state === "up" && act !== "start" && act !== "thaw";
}

const ACTS: Readonly<Record<string, Act>> = {
  kill: "kill",
  stop: "stop",
  start: "start",
  restart: "restart",
  freeze: "freeze",
  thaw: "thaw",
};

/** More would measure this machine and not the cluster. */
export const MOST_STREAMS = 500;

/** Reads a line. `servers` is the number of servers. */
export function parseOrder(line: string, servers: number): Order {
  const [word = "", of = "", ...rest] = line.trim().toLowerCase().split(/\s+/);
  if (word === "") return { kind: "nothing" };
  if (rest.length > 0) return unknown();
  const act = Object.hasOwn(ACTS, word) ? ACTS[word] : undefined;
  if (act !== undefined) return parseAct(act, of, servers);
  if (word === "load") return parseLoad(of);
  if (of !== "") return unknown();
  switch (word) {
    case "roll":
    case "status":
    case "help":
    case "quit":
      return { kind: word };
    case "exit":
      return { kind: "quit" };
    default:
      return unknown();
  }
}

function parseAct(act: Act, of: string, servers: number): Order {
  if (of === "nats") return { kind: "act", act, target: "nats" };
  const number = Number(of.replace(/^s/, ""));
  if (of === "" || !Number.isInteger(number) || number < 1 || number > servers)
    return { kind: "fault", text: `'${act}' needs a server from 1 to ${servers}, or nats: for example '${act} 2'.` };
  return { kind: "act", act, target: number };
}

function parseLoad(of: string): Order {
  const streams = Number(of);
  if (/^\d+$/.test(of) && streams <= MOST_STREAMS) return { kind: "load", streams };
  return { kind: "fault", text: `'load' needs a number of streams from 0 to ${MOST_STREAMS}: for example 'load 40'.` };
}

function unknown(): Order {
  return { kind: "fault", text: "Unknown command. Type 'help' for the list." };
}
