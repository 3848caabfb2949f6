/** @jsxImportSource @kitajs/html */
import { CancelButton, Field, FormProblem, Selection } from "./form-parts.tsx";
import { LimitFields } from "./limit-fields.tsx";
import { bind } from "./parts/bind.ts";
import { CurlLine } from "./parts/parts.tsx";

/** The dialog that lists everything about a key. */
export function KeyDetails(): string {
  return (
    <dialog id="key-details" class="ask" aria-labelledby="key-details-title">
      <h2 id="key-details-title" x-text="chosen ? chosen.name : ''">
        Key
      </h2>
      <dl class="facts">
        <template x-for="fact in facts" x-bind:key="fact.label">
          <div>
            <dt x-text="fact.label"></dt>
            <dd x-text="fact.value"></dd>
          </div>
        </template>
      </dl>
      <form method="dialog" class="buttons">
        <button type="submit" class="main">
          Close
        </button>
      </form>
    </dialog>
  ) as string;
}

/** The dialog that creates or edits a key. */
export function KeyFormDialog(): string {
  return (
    <dialog id="key-form" class="ask key-form" aria-labelledby="key-form-title">
      <h2 id="key-form-title" x-text="formTitle()">
        New key
      </h2>
      <form {...bind("x-on:submit.prevent", "save()")} autocomplete="off">
        <div class="fields">
          <Field name="name" label="Name" placeholder="ada, or ci" isRequired />
          <label x-show="chosen === null">
            <span>Kind</span>
            <select name="kind" x-model="form.kind">
              <option value="client">Client: uses models</option>
              <option value="worker">Worker: serves models</option>
              <option value="join">Join token: lets new workers register</option>
              <option value="admin">Admin: operates this server</option>
            </select>
          </label>
          <Field name="tenant" label="Tenant" placeholder="default" hint="Its keys share one place in the queue." />
          <Field name="models" label="Models" placeholder="all, or qwen*, llama3:8b" />
          <Field name="tenants" label="Serves only these tenants" placeholder="all" />
          <Field name="max_slots" label="Slots at most" placeholder="as many as it offers" />
          <Field name="max_uses" label="Workers at most" placeholder="any number" />
          <Expiry />
        </div>
        <LimitFields id="key" shownIf="has('parallel')" />
        <fieldset x-show="has('weight')">
          <legend>Priority and end users</legend>
          <div class="fields three">
            <Selection
              name="class"
              label="Class"
              options={[
                ["interactive", "interactive: first"],
                ["", "normal"],
                ["background", "background: last"],
              ]}
            />
            <Field name="weight" label="Weight" placeholder="1" />
            <Field name="user_header" label="End user header" placeholder="X-OpenWebUI-User-Id" />
            <Selection
              name="prefer"
              label="Prefers"
              options={[
                ["", "any worker"],
                ["own", "workers of its tenant"],
              ]}
            />
          </div>
        </fieldset>
        <fieldset x-show="has('mcp_tools')">
          <legend>MCP relays whose callers sign in here</legend>
          <div class="fields three">
            <Field name="mcp_relays" label="Relays" placeholder="all, or files, git-*" />
            <Field name="mcp_tools" label="Tools" placeholder="all, or read_*, @read-only" />
            <Field name="mcp_prompts" label="Prompts" placeholder="all, or nothing" />
            <Field name="mcp_resources" label="Resources" placeholder="all, or file:///docs/*" />
            <Field name="mcp_parallel" label="Calls at once" placeholder="any number" />
            <Field name="mcp_requests_per_minute" label="Calls per minute" placeholder="any number" />
          </div>
        </fieldset>
        <FormProblem />
        <div class="buttons">
          <CancelButton dialog="key-form" />
          <button
            type="submit"
            class="main"
            x-bind:disabled="isBusy"
            x-text="chosen === null ? 'Create key' : 'Save'"
          ></button>
        </div>
      </form>
    </dialog>
  ) as string;
}

function Expiry(): string {
  return (
    <>
      <Selection
        name="expires"
        label="Expires"
        isAlways
        options={[
          ["never", "never"],
          ["1", "in 1 day"],
          ["7", "in 7 days"],
          ["30", "in 30 days"],
          ["90", "in 90 days"],
          ["365", "in 365 days"],
          ["at", "at a time…"],
        ]}
      />
      <label x-show="form.expires === 'at'">
        <span>Time, in your time zone</span>
        <input type="datetime-local" name="expires_at" x-model="form.expires_at" />
      </label>
    </>
  ) as string;
}

/** The dialog that gives a key a new secret. */
export function RotateDialog(): string {
  return (
    <dialog id="key-rotate" class="ask" aria-labelledby="key-rotate-title">
      <h2 id="key-rotate-title">Rotate this key?</h2>
      <p class="name" x-text="chosen ? chosen.name : ''"></p>
      <p>It gets a new secret. Its id, limits and usage stay.</p>
      <form {...bind("x-on:submit.prevent", "rotate()")}>
        <label>
          <span>The current secret stays valid</span>
          <select name="overlap" x-model="overlap">
            <option value="0s">no longer (it was leaked)</option>
            <option value="1h">for 1 hour</option>
            <option value="24h">for 24 hours</option>
            <option value="48h">for 48 hours</option>
            <option value="7d">for 7 days</option>
            <option value="30d">for 30 days</option>
          </select>
        </label>
        <FormProblem />
        <div class="buttons">
          <CancelButton dialog="key-rotate" />
          <button type="submit" class="main" x-bind:disabled="isBusy">
            Rotate
          </button>
        </div>
      </form>
    </dialog>
  ) as string;
}

/** The dialog that shows a key that was just created. Escape does not close it, because the key would be lost. */
export function ShownKeyDialog({ version }: { readonly version: string }): string {
  return (
    <dialog
      id="key-shown"
      class="ask key-shown"
      aria-labelledby="key-shown-title"
      {...bind("x-on:cancel.prevent", "")}
      {...bind("x-on:keydown.escape.prevent", "")}
      x-on:close="forget()"
    >
      <h2 id="key-shown-title" x-text="'The key of ' + shownName">
        The key
      </h2>
      <p>
        <b>Copy it now. It is not shown again,</b> because the server keeps only a hash of it.
      </p>
      <div class="secret" x-data="copy">
        <code tabindex="0" x-text="shownKey"></code>
        <button type="button" class="main" x-on:click="copyText(shownKey)" x-text="isCopied ? 'Copied' : 'Copy'">
          Copy
        </button>
      </div>
      <CurlLine text={`firstStep('${version}')`} label="Try it" />
      <form method="dialog" class="buttons">
        <button type="submit">Done</button>
      </form>
    </dialog>
  ) as string;
}
