/** @jsxImportSource @kitajs/html */
import { bind } from "../../../../views/parts/bind.ts";
import { ProblemLine } from "../../../../views/parts/parts.tsx";

/** The relays of all servers, what they offer, and lines with which to use them. The page's script fills it. */
export function CatalogPanel(): string {
  return (
    <div
      class="try card catalog"
      x-data="catalog('/api/mcp/catalog')"
      {...bind("x-effect", "isShown('catalog') && open()")}
    >
      <form class="row" {...bind("x-on:submit.prevent", "load()")}>
        <label for="catalog-filter">
          Filter by relay, or by tool of a relay that is open
          <input id="catalog-filter" type="search" autocomplete="off" x-model="filter" />
        </label>
        <label for="catalog-client">
          Lines for
          <select id="catalog-client" x-model="client">
            <template x-for="each in (relays[0] ? relays[0].ready_lines : [])" x-bind:key="each.client">
              <option x-bind:value="each.client" x-text="each.title" x-bind:selected="each.client === client"></option>
            </template>
          </select>
        </label>
        <button type="submit" class="main" x-bind:disabled="isLoading">
          Reload
        </button>
      </form>
      <p class="soft" x-show="hasLoaded && problem === '' && shown().length === 0">
        No relay to show.
      </p>
      <p class="soft" x-show="missing.length > 0" x-text="'Not answered: ' + missing.join(', ')"></p>
      <p class="soft" x-show="hasMore">
        Only the first 1,000 relays are shown.
      </p>
      <ProblemLine />
      <template x-for="relay in shown()" x-bind:key="relay.id">
        <details class="relay" x-on:toggle="show(relay, $event.target.open)">
          <summary>
            <b x-text="relay.name || relay.id"></b> <span class="soft" x-text="relay.id"></span>{" "}
            <span class="badge" x-bind:class="relay.status === 'ready' ? '' : 'not_ready'" x-text="relay.status"></span>{" "}
            <span class="soft" x-text="count(relay)"></span>
          </summary>
          <Relay />
        </details>
      </template>
    </div>
  ) as string; // no component here is asynchronous, so the element is text
}

/** The page of one relay, whose id is in the address. */
export function RelayPage(): string {
  return (
    <div class="relay-page" x-data="relayPage('/api/mcp/catalog')" x-effect="follow()">
      <p>
        <a href="#mcp">← MCP servers</a>
      </p>
      <p class="soft" role="status" x-show="isLoading">
        Asking the server…
      </p>
      <ProblemLine />
      <template x-for="relay in relays" x-bind:key="relay.id">
        <div class="card step">
          <div class="relay-title">
            <h2 x-text="relay.id">MCP server</h2>
            <span class="soft" x-show="relay.name !== relay.id" x-text="relay.name"></span>
            <span
              class="badge"
              x-bind:class="relay.status === 'ready' ? 'ready' : 'not_ready'"
              x-text="relay.status"
            ></span>
            <span class="soft" x-text="count(relay)"></span>
          </div>
          <div class="fields">
            <label for="relay-client">
              Lines for
              <select id="relay-client" x-model="client">
                <template x-for="each in relay.ready_lines" x-bind:key="each.client">
                  <option
                    x-bind:value="each.client"
                    x-text="each.title"
                    x-bind:selected="each.client === client"
                  ></option>
                </template>
              </select>
            </label>
            <label for="relay-filter">
              Filter its tools
              <input id="relay-filter" type="search" autocomplete="off" x-model="filter" />
            </label>
            <a
              class="button for-admins"
              href="#playground?panel=mcp"
              x-bind:href="$store.route.href('playground', '', { panel: 'mcp', model: relay.id })"
            >
              Call a tool
            </a>
          </div>
          <Relay />
        </div>
      </template>
    </div>
  ) as string;
}

function Relay(): string {
  return (
    <div class="relay-body">
      <p class="alarm" x-show="relay.status_reason" x-text="relay.status_reason"></p>
      <p>
        <b>Who may call</b> <span x-text="who(relay)"></span> <span x-text="keys(relay)"></span>
      </p>
      <div class="command" x-data="copy">
        <div class="command-head">
          <span>URL</span>
          <button
            type="button"
            class="small"
            aria-label="Copy: URL"
            x-on:click="copyText(address(relay))"
            x-text="isCopied ? 'Copied' : 'Copy'"
          >
            Copy
          </button>
        </div>
        <code tabindex="0" x-text="address(relay)"></code>
      </div>
      <template x-if="line(relay)">
        <div class="ready">
          <div class="command" x-data="copy" x-show="line(relay).text">
            <div class="command-head">
              <span x-text="line(relay).title + ' · ' + line(relay).place"></span>
              <button
                type="button"
                class="small"
                x-bind:aria-label="'Copy: ' + line(relay).title"
                x-on:click="copyText(line(relay).text)"
                x-text="isCopied ? 'Copied' : 'Copy'"
              >
                Copy
              </button>
            </div>
            <code tabindex="0" data-line="mcp" x-text="line(relay).text"></code>
          </div>
          <p class="soft" x-show="line(relay).note" x-text="line(relay).note"></p>
        </div>
      </template>
      <p class="soft" role="status" x-show="!relay.inventory && !problems[relay.id]">
        Asking the relay…
      </p>
      <p class="alarm" role="alert" x-show="problems[relay.id]" x-text="problems[relay.id]"></p>
      <p
        class="soft"
        x-show="relay.inventory && relay.inventory.why"
        x-text="relay.inventory ? relay.inventory.why : ''"
      ></p>
      <template x-for="tool in tools(relay)" x-bind:key="tool.name">
        <details class="tool">
          <summary>
            <b x-text="tool.name"></b> <span class="soft" x-text="about(tool)"></span>{" "}
            <span class="soft" x-text="hint(tool)"></span> <span class="soft" x-text="work(relay, tool)"></span>
          </summary>
          <p class="lines" x-text="tool.description || ''"></p>
          <pre class="result" tabindex="0" x-text="schema(tool)"></pre>
        </details>
      </template>
      <template x-for="other in others(relay)" x-bind:key="other.label">
        <p class="lines">
          <b x-text="other.label"></b> <span x-text="other.names"></span>
        </p>
      </template>
    </div>
  ) as string;
}
