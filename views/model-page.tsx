/** @jsxImportSource @kitajs/html */
import { BoundLink } from "./parts/bound-link.tsx";

import { Detail, DetailCard, DetailHead, Graphs, PlainTable } from "./parts/detail.tsx";
import { CurrentJobs, ErrorTable } from "./parts/detail-tables.tsx";

/** The page of one model. */
export function ModelPage(): string {
  return (
    <Detail
      data="modelPage"
      section="models"
      label="Models"
      one="model"
      missing="No connected worker offers a model of this name."
      everyS={5}
    >
      <DetailHead name="it.name">
        <BoundLink look="button main" to="$store.route.href('use', '', { model: it.name })">
          Use it
        </BoundLink>
        <BoundLink look="button" to="$store.route.href('jobs', '', { model: it.name })">
          Its jobs
        </BoundLink>
      </DetailHead>
      <p class="notice-line warn-line" x-show="it.notice !== ''" x-text="it.notice"></p>
      <div class="card detail-card wide">
        <dl class="fact-list">
          <div>
            <dt>Slots in use</dt>
            <dd>
              <span class="load">
                <meter
                  min="0"
                  x-bind:class="it.slots > 0 && it.used >= it.slots ? 'full' : ''"
                  x-bind:max="it.slots || 1"
                  x-bind:value="it.used"
                  x-bind:aria-label="it.used + ' of ' + it.slots + ' slots in use'"
                ></meter>
                <span class="figures" x-text="it.used + ' / ' + it.slots"></span>
              </span>
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
      <DetailCard title="Workers">
        <PlainTable
          caption="Workers of the model"
          list="it.workers"
          rowKey="each.id + at"
          empty="No worker serves it now."
          columns={[
            {
              label: "Worker",
              cell: (
                <BoundLink
                  look="cut"
                  to="$store.route.href('workers', each.id, { plugin: it.plugin })"
                  text="each.name"
                />
              ) as string,
            },
            {
              label: "Status",
              cell: (
                <span
                  class="badge"
                  x-bind:class="each.out ? 'critical' : each.status"
                  x-text="each.out ? 'out' : each.status.replace('_', ' ')"
                ></span>
              ) as string,
            },
            {
              label: "Load",
              cell: (
                <span class="load">
                  <meter
                    min="0"
                    x-bind:class="each.slots_used >= each.slots_total ? 'full' : ''"
                    x-bind:max="each.slots_total || 1"
                    x-bind:value="each.slots_used"
                    x-bind:aria-label="each.slots_used + ' of ' + each.slots_total + ' slots in use'"
                  ></meter>
                  <span class="figures" x-text="each.slots_used + ' / ' + each.slots_total"></span>
                </span>
              ) as string,
            },
            { label: "Jobs of it", isNumber: true, cell: (<span x-text="each.inflight"></span>) as string },
            {
              label: "In memory",
              cell: (<span x-text="each.loaded === null ? '–' : each.loaded ? 'yes' : 'no'"></span>) as string,
            },
            {
              label: "Prompt tokens/s",
              isNumber: true,
              cell: (<span x-text="$format.rate(each.prefill_tokens_per_s)"></span>) as string,
            },
            {
              label: "Output tokens/s",
              isNumber: true,
              cell: (<span x-text="$format.rate(each.decode_tokens_per_s)"></span>) as string,
            },
          ]}
        />
        <p class="soft" x-show="it.more_workers > 0">
          <BoundLink
            to="$store.route.href('workers', '', { model: it.name })"
            text="'All ' + it.workers_total + ' workers of it'"
          />
        </p>
      </DetailCard>
      <DetailCard title="Current jobs">
        <CurrentJobs other="worker" />
      </DetailCard>
      <DetailCard title="Errors">
        <p class="soft" x-show="it.causes !== ''" x-text="it.causes"></p>
        <ErrorTable hasWorker />
      </DetailCard>
    </Detail>
  ) as string;
}
