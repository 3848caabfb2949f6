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

function Relay(): string {
  return (
    <div class="relay-body">
      <p class="alarm" x-show="relay.status_reason" x-text="relay.status_reason"></p>
      <p>
        <b>Who may call</b> <span x-text="who(relay)"></span> <span x-text="keys(relay)"></span>
      </p>
      <template x-if="line(relay)">
        <div class="ready" x-data="copy">
          <p>
            <b x-text="line(relay).title"></b> <span class="soft" x-text="line(relay).place"></span>
          </p>
          <pre class="result" tabindex="0" x-show="line(relay).text" x-text="line(relay).text"></pre>
          <button type="button" x-show="line(relay).text" x-on:click="copyText(line(relay).text)">
            <span x-text="isCopied ? 'Copied' : 'Copy'">Copy</span>
          </button>
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
            <b x-text="tool.name"></b> <span class="soft" x-text="tool.title || ''"></span>{" "}
            <span class="soft" x-text="hint(tool)"></span>
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
