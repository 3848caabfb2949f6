/** @jsxImportSource @kitajs/html */
import type { Keeping } from "./keys.tsx";
import { bind } from "./parts/bind.ts";
import { ProblemLine } from "./parts/parts.tsx";

export interface UseItProps {
  readonly keeping: Keeping;
  /** Whether callers need a key. */
  readonly hasKeys: boolean;
  /** The address of the server for everybody; undefined if only the browser knows one. */
  readonly publicUrl: string | undefined;
}

/** The page that shows what to paste into programs so that they use this server. */
export function UseIt({ keeping, hasKeys, publicUrl }: UseItProps): string {
  return (
    <section
      class="page connect-page"
      aria-labelledby="use-title"
      x-data="useIt"
      x-effect="follow()"
      data-origin={publicUrl ?? ""}
    >
      <div class="page-title">
        <h2 id="use-title">Use it</h2>
        <p class="soft">Every program that speaks OpenAI's or Anthropic's API can use the models of this server.</p>
      </div>
      <div class="steps">
        <Essentials />
        <Key keeping={keeping} hasKeys={hasKeys} />
        <Programs hasKeys={hasKeys} />
      </div>
    </section>
  ) as string;
}

function Essentials(): string {
  return (
    <div class="card step">
      <h3>Model and address</h3>
      <div class="fields essentials">
        <label for="use-model">
          Model
          <select id="use-model" x-on:change="chooseModel($event.target.value)">
            <template x-if="models().length === 0 && model() === ''">
              <option value="">none is served now</option>
            </template>
            <template x-if="isMissing()">
              <option x-bind:value="model()" x-text="model() + ' (not served now)'" selected></option>
            </template>
            <template x-for="each in models()" x-bind:key="each.use + each.name">
              <option
                x-bind:value="each.name"
                x-text="each.use === 'chat' ? each.name : each.name + ' · ' + each.use"
                x-bind:selected="each.name === model()"
              ></option>
            </template>
          </select>
        </label>
        <Value label="Base URL, for OpenAI's API" text="baseUrl()" />
        <Value label="Base URL, for Anthropic's API" text="origin" />
      </div>
      <p class="warn" x-show="models().length === 0">
        No model is served now.{" "}
        <a class="for-admins" href="#add?kind=llm">
          Add a worker
        </a>
      </p>
    </div>
  ) as string;
}

/** A value with a button that copies it. `text` is an expression. */
function Value({ label, text }: { readonly label: string; readonly text: string }): string {
  return (
    <div class="value" x-data="copy">
      <span safe>{label}</span>
      <span class="value-line">
        <code tabindex="0" x-text={text}></code>
        <button
          type="button"
          class="small"
          aria-label={`Copy: ${label}`}
          x-on:click={`copyText(${text})`}
          x-text="isCopied ? 'Copied' : 'Copy'"
        >
          Copy
        </button>
      </span>
    </div>
  ) as string;
}

function Key({ keeping, hasKeys }: Pick<UseItProps, "keeping" | "hasKeys">): string {
  if (!hasKeys)
    return (
      <div class="card step">
        <h3>Key</h3>
        <p>
          This server asks for no key. Programs that insist on one take any word, such as <code>none</code>.
        </p>
      </div>
    ) as string;
  return (
    <div class="card step">
      <h3>Key</h3>
      {keeping === "made" ? <MakeKey /> : <OtherKeys keeping={keeping} />}
      <p x-show="key !== null" class="warn">
        Copy it now. It is not shown again, because the server keeps only a hash of it.
      </p>
      <p class="soft" x-show="key === null">
        With a key of your own, put it into the variable <code>MOORAGE_KEY</code>, from which the lines below take it.
        The command asks for the key, so that it does not stay in the history of the shell:
      </p>
      <p class="soft" x-show="key !== null">
        The lines below take it from the variable <code>MOORAGE_KEY</code>:
      </p>
      <div class="pair">
        <template x-for="block in keyLines()" x-bind:key="block.place">
          <Block kind="key" />
        </template>
      </div>
    </div>
  ) as string;
}

function MakeKey(): string {
  return (
    <>
      <form class="fields for-admins" x-show="key === null" {...bind("x-on:submit.prevent", "makeKey()")}>
        <label for="use-key-name">
          Make a key named
          <input
            id="use-key-name"
            type="text"
            maxlength="100"
            autocomplete="off"
            placeholder="my laptop"
            x-model="keyName"
          />
        </label>
        <label for="use-key-models">
          for
          <select id="use-key-models" x-model="keyModels">
            <option value="all">all models</option>
            <option value="this">this model only</option>
          </select>
        </label>
        <label for="use-key-days">
          that ends
          <select id="use-key-days" x-model="keyDays">
            <option value="30">in 30 days</option>
            <option value="90">in 90 days</option>
            <option value="365">in a year</option>
            <option value="">never</option>
          </select>
        </label>
        <button type="submit" class="main" x-bind:disabled="isMaking">
          Make a key
        </button>
      </form>
      <p class="for-viewers">An admin of this server can make you a key, on this page or under Keys.</p>
      <ProblemLine />
    </>
  ) as string;
}

function OtherKeys({ keeping }: Pick<UseItProps, "keeping">): string {
  return (
    <p>
      {keeping === "file"
        ? "Keys are in the server's keys file, and in its API_KEY. An admin of the server has them."
        : "Keys are in the server's setting API_KEY. An admin of the server has them."}
    </p>
  ) as string;
}

function Programs({ hasKeys }: Pick<UseItProps, "hasKeys">): string {
  return (
    <div class="card step">
      <h3>Program</h3>
      <fieldset class="picks">
        <legend class="unseen">Programs</legend>
        <template x-for="each in programs()" x-bind:key="each.id">
          <button
            type="button"
            x-on:click="show(each.id)"
            x-bind:aria-pressed="program() && program().id === each.id ? 'true' : 'false'"
            x-text="each.title"
          ></button>
        </template>
      </fieldset>
      <template x-if="program()">
        <div class="program" x-bind:data-program="program().id">
          <template x-for="block in program().blocks" x-bind:key="program().id + block.place">
            <Block kind="line" />
          </template>
          <template x-if="program().fields.length > 0">
            <dl class="typed">
              <template x-for="field in program().fields" x-bind:key="program().id + field.label">
                <div class="value" x-data="copy">
                  <dt x-text="field.label"></dt>
                  <dd class="value-line">
                    <code tabindex="0" x-show="field.value !== ''" x-text="field.value"></code>
                    <button
                      type="button"
                      class="small"
                      x-show="field.value !== ''"
                      x-bind:aria-label="'Copy: ' + field.label"
                      x-on:click="copyText(field.value)"
                      x-text="isCopied ? 'Copied' : 'Copy'"
                    >
                      Copy
                    </button>
                    <span class="soft" x-show="field.value === ''">
                      {hasKeys ? "your key" : "any word, such as none"}
                    </span>
                  </dd>
                </div>
              </template>
            </dl>
          </template>
          <p class="soft" x-show="program().note !== ''" x-text="program().note"></p>
        </div>
      </template>
    </div>
  ) as string;
}

/** A text to copy, from the variable `block` of a loop around it. */
function Block({ kind }: { readonly kind: string }): string {
  return (
    <div class="command" x-data="copy">
      <div class="command-head">
        <span x-text="block.place"></span>
        <button
          type="button"
          class="small"
          x-bind:aria-label="'Copy: ' + block.place"
          x-on:click="copyText(block.text)"
          x-text="isCopied ? 'Copied' : 'Copy'"
        >
          Copy
        </button>
      </div>
      <code tabindex="0" data-line={kind} x-bind:data-place="block.place" x-text="block.text"></code>
    </div>
  ) as string;
}
