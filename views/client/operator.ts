import { assertOk, messageOf } from "./answers.ts";

type Action = "drain" | "undrain" | "block" | "unblock" | "disconnect" | "cancel" | "revoke" | "remove" | "end_grant";

const QUESTIONS: Readonly<Record<Action, { readonly title: string; readonly text: string; readonly verb: string }>> = {
  drain: {
    title: "Drain this worker?",
    text: "It gets no more jobs; running jobs continue. This lasts until it is undrained, also when it reconnects.",
    verb: "Drain",
  },
  undrain: { title: "Undrain this worker?", text: "It gets jobs again at once.", verb: "Undrain" },
  block: {
    title: "Block this worker?",
    text: "Its connection is closed, and no worker of this id may connect until it is unblocked. Running jobs are lost, or repeated by another worker.",
    verb: "Block",
  },
  unblock: {
    title: "Unblock this worker?",
    text: "It may connect again, and does so by itself within a minute.",
    verb: "Unblock",
  },
  disconnect: {
    title: "Disconnect this worker?",
    text: "Its connection is closed. Running jobs are lost, or repeated by another worker. The worker may reconnect by itself.",
    verb: "Disconnect",
  },
  cancel: {
    title: "Cancel this job?",
    text: "Its client gets an error, and its worker is asked to stop.",
    verb: "Cancel the job",
  },
  revoke: {
    title: "Revoke this key?",
    text: "It is refused from now on, and what runs or is connected with it ends. This cannot be undone. Its usage keeps its name.",
    verb: "Revoke",
  },
  remove: {
    title: "Remove the limits of this tenant?",
    text: "Its keys keep their own limits and share none any more.",
    verb: "Remove",
  },
  end_grant: {
    title: "End this program's access?",
    text: "Its tokens are refused from now on, and its running calls end. To get in again, it has to ask a person.",
    verb: "Revoke",
  },
};

/** How long the message about a finished action is shown. */
const NOTICE_MS = 6000;

/** The dialog that asks for confirmation of an operator's action, performs it and reports the result. */
export function createOperator() {
  return {
    action: "drain" as Action,
    id: "",
    name: "",
    /** The only plugin to act on; empty for all that know the id. */
    plugin: "",
    problem: "",
    notice: "",
    isBusy: false,
    /** Opens the dialog: `ask('drain', worker.id, worker.name, 'llm')`. */
    ask(action: Action, id: string, name: string, plugin = ""): void {
      Object.assign(this, { action, id, name, plugin, problem: "", notice: "" });
      dialog().showModal();
    },
    title(): string {
      return QUESTIONS[this.action].title;
    },
    text(): string {
      return QUESTIONS[this.action].text;
    },
    verb(): string {
      return QUESTIONS[this.action].verb;
    },
    isDangerous(): boolean {
      return ["disconnect", "block", "cancel", "revoke", "remove", "end_grant"].includes(this.action);
    },
    close(): void {
      dialog().close();
    },
    async act(): Promise<void> {
      const { action, id, plugin } = this;
      this.isBusy = true;
      try {
        const response = await assertOk(await send(action, encodeURIComponent(id), plugin));
        if (action === "revoke") document.dispatchEvent(new Event("keyschange"));
        if (action === "remove") document.dispatchEvent(new Event("tenantschange"));
        if (action === "end_grant") document.dispatchEvent(new Event("grantschange"));
        const done = (await response.json()) as { readonly unanswered?: readonly string[] }; // the server's own
        const notice = `Done: ${this.verb().toLowerCase()} ${this.name}${silentText(done.unanswered ?? [])}`;
        this.notice = notice;
        window.setTimeout(() => {
          if (this.notice === notice) this.notice = "";
        }, NOTICE_MS);
        this.close();
      } catch (error) {
        this.problem = messageOf(error);
      } finally {
        this.isBusy = false;
      }
    },
  };
}

function send(action: Action, id: string, plugin: string): Promise<Response> {
  if (action === "remove") return fetch(`/api/tenants/${id}`, { method: "DELETE" });
  if (action === "end_grant") return fetch(`/api/mcp/grants/${id}`, { method: "DELETE" });
  if (action === "revoke") return fetch(`/api/keys/${id}`, { method: "DELETE" });
  const kind = action === "cancel" ? "jobs" : "workers";
  const query = plugin === "" ? "" : `?plugin=${plugin}`;
  return fetch(`/api/state/${kind}/${id}/${action}${query}`, { method: "POST" });
}

/** Names the servers of a cluster that have not answered, where the action may not hold. */
function silentText(servers: readonly string[]): string {
  return servers.length === 0 ? "" : `. No answer from server ${servers.join(", ")}: it may not hold there`;
}

function dialog(): HTMLDialogElement {
  return document.getElementById("ask") as HTMLDialogElement; // the page's markup contains it
}
