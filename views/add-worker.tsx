/** @jsxImportSource @kitajs/html */
import type { Keeping } from "./keys.tsx";
import { bind } from "./parts/bind.ts";
import { ProblemLine } from "./parts/parts.tsx";
import { Arrivals } from "./worker-arrivals.tsx";

export interface AddWorkerProps {
  readonly keeping: Keeping;
  /** Whether workers need no key. */
  readonly isOpenToWorkers: boolean;
  /** Whether callers need a key. */
  readonly hasKeys: boolean;
  /** The address of the server for everybody; undefined if only the browser knows one. */
  readonly publicUrl: string | undefined;
  readonly version: string;
}

/** The page that shows the line with which a worker joins, and the worker as it arrives. */
export function AddWorker({ keeping, isOpenToWorkers, hasKeys, publicUrl, version }: AddWorkerProps): string {
  return (
    <section class="page connect-page" aria-labelledby="add-title">
      <div class="page-title">
        <h2 id="add-title">Add a worker</h2>
        <p class="soft">
          A worker puts a model server or an MCP server of any machine behind this address. It dials out, so that
          machine needs no open port.
        </p>
      </div>
      <div class="for-viewers card step">
        <p>
          You are signed in as a viewer. Ask an admin of this server to add a worker, or to send you the line for it:
          somebody with its <code>ADMIN_KEY</code>, with a key of the kind <i>admin</i>, or whom the sign-in provider
          makes one.
        </p>
      </div>
      <div
        class="for-admins steps"
        x-data="addWorker"
        x-effect="follow()"
        data-keeping={keeping}
        data-workers={isOpenToWorkers ? "open" : "keys"}
        data-callers={hasKeys ? "keys" : "none"}
        data-origin={publicUrl ?? ""}
        data-version={version}
      >
        <WhatRuns />
        <Line keeping={keeping} isOpenToWorkers={isOpenToWorkers} />
        <Arrivals />
      </div>
    </section>
  ) as string;
}

function WhatRuns(): string {
  return (
    <fieldset class="card step">
      <legend class="step-legend">
        <h3>What runs there?</h3>
      </legend>
      <div class="choices">
        <template x-for="each in programs" x-bind:key="each.id">
          <label class="choice">
            <input
              class="radio"
              type="radio"
              name="add-program"
              x-bind:value="each.id"
              x-bind:checked="each.id === setup.program"
              x-on:change="choose(each.id)"
            />
            <span class="choice-name" x-text="each.label"></span>
            <span class="soft" x-text="each.work"></span>
          </label>
        </template>
      </div>
      <div class="fields" x-show="program().kind !== 'mcp'">
        <label for="add-address">
          Address of its API on that machine
          <input id="add-address" type="url" spellcheck="false" autocomplete="off" x-model="setup.address" />
        </label>
      </div>
      <div class="fields" x-show="program().kind === 'mcp'">
        <label for="add-reach">
          The worker
          <select id="add-reach" x-model="setup.reach">
            <option value="command">starts it by a command</option>
            <option value="url">reaches it at a URL</option>
          </select>
        </label>
        <label for="add-command" class="wide" x-show="setup.reach === 'command'">
          Command
          <input id="add-command" type="text" spellcheck="false" autocomplete="off" x-model="setup.command" />
        </label>
        <label for="add-url" class="wide" x-show="setup.reach === 'url'">
          URL
          <input id="add-url" type="url" spellcheck="false" autocomplete="off" x-model="setup.url" />
        </label>
        <label for="add-id">
          Id, which is part of its URL
          <input id="add-id" type="text" spellcheck="false" autocomplete="off" x-model="setup.id" />
        </label>
        <label for="add-access">
          Who may call it
          <select id="add-access" x-model="setup.access">
            <option value="connector">who has a key or signs in</option>
            <option value="none">anybody who knows its URL</option>
          </select>
        </label>
      </div>
    </fieldset>
  ) as string;
}

function Line({ keeping, isOpenToWorkers }: Pick<AddWorkerProps, "keeping" | "isOpenToWorkers">): string {
  return (
    <div class="card step">
      <h3>Run this on that machine</h3>
      <div class="fields">
        <fieldset class="segments">
          <legend>System</legend>
          {[
            ["linux", "Linux"],
            ["macos", "macOS"],
            ["windows", "Windows"],
          ].map(([id, label]) => (
            <label>
              <input class="radio" type="radio" name="add-system" value={id} x-model="system" />{" "}
              <span safe>{label}</span>
            </label>
          ))}
        </fieldset>
        <label for="add-origin" class="wide">
          This server, as that machine reaches it
          <input id="add-origin" type="url" spellcheck="false" autocomplete="off" x-model="origin" />
        </label>
      </div>
      <p class="warn" x-show="isLocalOrigin()">
        This address works on the server's own machine only. For others, enter one that they can reach.
      </p>
      <p class="problem" role="alert" x-show="setupProblem() !== ''" x-text="setupProblem()"></p>
      {keeping === "made" ? <TokenForm /> : isOpenToWorkers ? <OpenDoor /> : <ClientKey keeping={keeping} />}
      <div x-show="hasLine()" x-on:copy="copied()" x-on:copied="copied()">
        <div class="command" x-data="copy">
          <div class="command-head">
            <span x-text="lineLabel()"></span>
            <button
              type="button"
              class="main small"
              x-on:click="copyText(line())"
              x-text="isCopied ? 'Copied' : 'Copy'"
            >
              Copy
            </button>
          </div>
          <code tabindex="0" data-line="main" x-text="line()"></code>
        </div>
        <details class="others" x-show="otherLines().length > 0">
          <summary>Another way</summary>
          <template x-for="each in otherLines()" x-bind:key="each.label">
            <div class="command" x-data="copy">
              <div class="command-head">
                <span x-text="each.label"></span>
                <button
                  type="button"
                  class="small"
                  x-on:click="copyText(each.text)"
                  x-text="isCopied ? 'Copied' : 'Copy'"
                >
                  Copy
                </button>
              </div>
              <code tabindex="0" data-line="other" x-text="each.text"></code>
            </div>
          </template>
        </details>
      </div>
    </div>
  ) as string;
}

function TokenForm(): string {
  return (
    <>
      <form class="fields" x-show="token === null" {...bind("x-on:submit.prevent", "make()")}>
        <label for="add-uses">
          Lets in
          <select id="add-uses" x-model="uses">
            <option value="1">one worker</option>
            <option value="5">5 workers</option>
            <option value="25">25 workers</option>
          </select>
        </label>
        <label for="add-hours">
          within
          <select id="add-hours" x-model="hours">
            <option value="1">an hour</option>
            <option value="24">a day</option>
          </select>
        </label>
        <button type="submit" class="main" x-bind:disabled="isMaking || setupProblem() !== ''">
          Make the line
        </button>
      </form>
      <ProblemLine />
      <p class="soft" x-show="token === null">
        This makes a join token, which each worker trades for a key of its own. One that you do not copy is revoked when
        you leave.
      </p>
      <p class="soft" x-show="token !== null">
        <span x-text="tokenText()"></span>{" "}
        <button type="button" class="plain" x-on:click="discard()">
          Revoke it
        </button>
      </p>
    </>
  ) as string;
}

function OpenDoor(): string {
  return (
    <p class="soft">
      This server lets workers in without a key. To keep strangers out, set <code>CLIENT_KEY</code> on the server, or{" "}
      <code>DATA_DIR</code>, with which this page makes a token for each worker.
    </p>
  ) as string;
}

function ClientKey({ keeping }: Pick<AddWorkerProps, "keeping">): string {
  return (
    <p>
      Put the server's <code>CLIENT_KEY</code> in the place of <code>your-client-key</code>. It is in the settings of
      the server, which does not show it here.{" "}
      {keeping === "file" ? (
        <span>
          A key of the kind <i>worker</i> from its keys file works as well.
        </span>
      ) : (
        <span>
          With <code>DATA_DIR</code> set, this page makes a token for each worker instead.
        </span>
      )}
    </p>
  ) as string;
}
