/** @jsxImportSource @kitajs/html */
import { BoundLink } from "./parts/bound-link.tsx";
import { CopyButton } from "./parts/copy-button.tsx";
import { Detail, DetailCard, DetailHead, Graphs, PlainTable } from "./parts/detail.tsx";
import { CurrentJobs, ErrorTable } from "./parts/detail-tables.tsx";

/** The page of one worker, connected or not. */
export function WorkerPage(): string {
  return (
    <Detail
      data="workerPage"
      section="workers"
      label="Workers"
      one="worker"
      missing="It has not been connected lately, or the server was restarted since."
      everyS={5}
    >
      <DetailHead name="it.name">
        <Actions />
      </DetailHead>
      <p class="notice-line warn-line" x-show="!it.connected">
        <b>This worker is not connected.</b>{" "}
        <span x-text="it.gone_at === '' ? '' : 'It left ' + $format.ago(it.gone_at, $store.pool.now) + (it.gone_why === '' ? '.' : ': ' + it.gone_why)"></span>{" "}
        <span class="soft">What is below was so when it left.</span>
      </p>
      <p class="notice-line" x-show="it.why !== ''">
        <b x-text="it.status === 'not ready' ? 'Not ready:' : it.status === 'drained' ? 'Drained:' : 'Reason:'"></b>{" "}
        <span x-text="it.why"></span>
      </p>
      <p class="notice-line" x-show="it.restriction">
        <span x-text="restrictionText(it)"></span>
      </p>
      <div class="card detail-card wide">
        <dl class="fact-list">
          <div x-show="it.connected">
            <dt>Load</dt>
            <dd>
              <span class="load">
                <meter
                  min="0"
                  x-show="it.slots !== null"
                  x-bind:class="it.used >= it.slots ? 'full' : ''"
                  x-bind:max="it.slots || 1"
                  x-bind:value="it.used"
                  x-bind:aria-label="it.used + ' of ' + it.slots + ' slots in use'"
                ></meter>
                <span
                  class="figures"
                  x-text="it.slots === null ? $format.plural(it.used, 'call') : it.used + ' / ' + it.slots"
                ></span>
              </span>
            </dd>
          </div>
          <div>
            <dt>Id</dt>
            <dd>
              <span class="cut" x-text="it.id" x-bind:title="it.id"></span>
              <CopyButton text="it.id" what="the id" />
            </dd>
          </div>
          <div>
            <dt>Kind</dt>
            <dd x-text="it.kind"></dd>
          </div>
          <div x-show="it.connected">
            <dt>Connected</dt>
            <dd
              x-text="'for ' + $format.age(it.connected_at, $store.pool.now)"
              x-bind:title="$format.time(it.connected_at)"
            ></dd>
          </div>
          <div x-show="it.server !== ''">
            <dt>Server</dt>
            <dd x-text="it.server"></dd>
          </div>
          <div x-show="it.connected && it.tokens_per_s !== null">
            <dt>Tokens/s</dt>
            <dd x-text="$format.rate(it.tokens_per_s)"></dd>
          </div>
          <div>
            <dt>Failed</dt>
            <dd>
              <span x-text="$format.count(it.failed)"></span>{" "}
              <span class="soft" x-show="it.last_error" x-text="it.last_error ? 'last: ' + errorText(it) : ''"></span>
            </dd>
          </div>
          <template x-for="fact in it.facts" x-bind:key="fact.label">
            <div>
              <dt x-text="fact.label"></dt>
              <dd x-text="fact.text"></dd>
            </div>
          </template>
        </dl>
      </div>
      <Graphs />
      <DetailCard title="Models" when="it.served.length > 0">
        <ServedModels />
      </DetailCard>
      <DetailCard title="Current jobs" when="it.slots !== null">
        <CurrentJobs other="model" />
      </DetailCard>
      <DetailCard title="Errors">
        <ErrorTable />
      </DetailCard>
      <DetailCard title="Sessions">
        <Sessions />
      </DetailCard>
    </Detail>
  ) as string;
}

function Actions(): string {
  const ask = (action: string): string => `$store.operator.ask('${action}', it.id, it.name, it.plugin)`;
  return (
    <>
      <BoundLink look="button" when="it.slots !== null" to="$store.route.href('jobs', '', { worker: it.id })">
        Its jobs
      </BoundLink>
      <button type="button" class="for-admins" x-show="it.connected && !it.is_drained" x-on:click={ask("drain")}>
        Drain
      </button>
      <button type="button" class="for-admins" x-show="isDrained(it)" x-on:click={ask("undrain")}>
        Undrain
      </button>
      <button type="button" class="for-admins" x-show="it.connected" x-on:click={ask("disconnect")}>
        Disconnect
      </button>
      <button type="button" class="for-admins alarm" x-show="!isBlocked(it)" x-on:click={ask("block")}>
        Block
      </button>
      <button type="button" class="for-admins" x-show="isBlocked(it)" x-on:click={ask("unblock")}>
        Unblock
      </button>
    </>
  ) as string;
}

function ServedModels(): string {
  return (
    <PlainTable
      caption="Models of the worker"
      list="it.served"
      rowKey="each.model"
      empty="It offers no models."
      columns={[
        {
          label: "Model",
          cell: (<BoundLink look="cut" to="$store.route.href('models', each.model)" text="each.model" />) as string,
        },
        {
          label: "In memory",
          cell: (<span x-text="each.loaded === null ? '–' : each.loaded ? 'yes' : 'no'"></span>) as string,
        },
        {
          label: "Prompt tokens/s",
          isNumber: true,
          cell: (<span x-text="$format.rate(each.prefill)"></span>) as string,
        },
        {
          label: "Output tokens/s",
          isNumber: true,
          cell: (<span x-text="$format.rate(each.decode)"></span>) as string,
        },
        {
          label: "State",
          cell: (
            <>
              <span class="badge critical" x-show="each.out_why !== ''">
                out
              </span>{" "}
              <span
                class="soft"
                x-show="each.out_why !== ''"
                x-text="each.out_why === '' ? '' : each.out_why + ', ' + $format.until(each.out_until, $store.pool.now)"
              ></span>
              <span class="soft" x-show="each.is_cold">
                its backend does not keep prompts
              </span>
              <span x-show="each.out_why === '' && !each.is_cold">in use</span>
            </>
          ) as string,
        },
      ]}
    />
  ) as string;
}

function Sessions(): string {
  return (
    <PlainTable
      caption="Sessions of the worker"
      list="it.sessions"
      rowKey="each.connected_at + at"
      empty="No sessions are remembered."
      columns={[
        { label: "Connected", cell: (<span class="line" x-text="$format.time(each.connected_at)"></span>) as string },
        {
          label: "For",
          cell: (<span class="line" x-text="sessionLength(each)"></span>) as string,
        },
        {
          label: "Ended",
          cell: (
            <>
              <span class="badge idle" x-show="each.gone_at === null">
                connected
              </span>
              <span x-show="each.gone_at !== null" x-text="each.reason || 'no reason given'"></span>
            </>
          ) as string,
        },
        { label: "Version", cell: (<span x-text="each.version || '–'"></span>) as string },
      ]}
    />
  ) as string;
}
