/** @jsxImportSource @kitajs/html */
import { bind } from "../../../views/parts/bind.ts";
import { CurlLine, ProblemLine } from "../../../views/parts/parts.tsx";
import { IfServed, RunButtons, TryPanel } from "../../../views/parts/try-panel.tsx";

/** The panel of the playground that calls a tool of an MCP server, with a form made from the tool's schema. */
export function renderTries(): string {
  return (
    <TryPanel
      id="mcp"
      label="MCP tools"
      title="Call a tool"
      text="The form is made from what the MCP server says of the tool."
      data="mcp"
    >
      <IfServed
        when="relays().length > 0"
        empty={{
          title: "No MCP server is connected",
          text: "A worker puts one behind this server, whether it speaks stdio or HTTP.",
          action: { href: "#add?kind=mcp", label: "Add a worker", isForAdmins: true },
        }}
      >
        <form class="row" {...bind("x-on:submit.prevent", "list()")}>
          <label for="mcp-relay">
            MCP server
            <select id="mcp-relay" x-model="relay" x-effect="settle()" x-on:change="forget()">
              <option value="">Choose…</option>
              <template x-for="each in relays()" x-bind:key="each.id">
                <option
                  x-bind:value="each.id"
                  x-text="each.name && each.name !== each.id ? each.name + ' · ' + each.id : each.id"
                  x-bind:selected="each.id === relay"
                ></option>
              </template>
            </select>
          </label>
          <label for="mcp-token" x-show="tokenLabel() !== ''">
            <span x-text="tokenLabel()"></span>
            <input id="mcp-token" type="password" autocomplete="off" x-model="token" />
          </label>
          <button type="submit" class="main" x-bind:disabled="relay === '' || isRunning">
            List tools
          </button>
        </form>
        <div class="try-body" x-show="tools.length > 0">
          <label for="mcp-tool">
            Tool
            <select id="mcp-tool" x-on:change="choose($event.target.value)">
              <template x-for="each in tools" x-bind:key="each.name">
                <option x-bind:value="each.name" x-text="each.name" x-bind:selected="each.name === tool"></option>
              </template>
            </select>
          </label>
          <p class="soft" x-show="description() !== ''" x-text="description()"></p>
          <form {...bind("x-on:submit.prevent", "call()")}>
            <template x-for="field in fields" x-bind:key="tool + ' ' + field.name">
              <ToolField />
            </template>
            <RunButtons label="Call" disabled="isRunning" status="isRunning ? 'Running…' : ''" />
          </form>
        </div>
        <pre
          class="result"
          tabindex="0"
          x-show="result !== ''"
          x-bind:class="isError ? 'alarm' : ''"
          x-text="result"
        ></pre>
        <ProblemLine />
        <div x-show="relay !== ''">
          <CurlLine text="curl()" />
        </div>
      </IfServed>
    </TryPanel>
  ) as string; // no component here is asynchronous, so the element is text
}

function ToolField(): string {
  return (
    <label class="field">
      <span>
        <b x-text="field.name"></b>
        <span class="soft" x-text="field.isRequired ? ' required' : ''"></span>
      </span>
      <template x-if="field.kind === 'choice'">
        <select x-model="texts[field.name]">
          <option value=""></option>
          <template x-for="option in field.options" x-bind:key="option">
            <option x-bind:value="option" x-text="option"></option>
          </template>
        </select>
      </template>
      <template x-if="field.kind === 'switch'">
        <select x-model="texts[field.name]">
          <option value=""></option>
          <option value="true">true</option>
          <option value="false">false</option>
        </select>
      </template>
      <template x-if="field.kind === 'number'">
        <input type="text" inputmode="decimal" x-model="texts[field.name]" />
      </template>
      <template x-if="field.kind === 'text'">
        <input type="text" x-model="texts[field.name]" />
      </template>
      <template x-if="field.kind === 'json'">
        <textarea rows="3" placeholder="JSON" x-model="texts[field.name]"></textarea>
      </template>
      <span class="soft" x-text="field.description"></span>
    </label>
  ) as string;
}
