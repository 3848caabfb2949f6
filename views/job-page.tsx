/** @jsxImportSource @kitajs/html */
import { BoundLink } from "./parts/bound-link.tsx";
import { CopyButton } from "./parts/copy-button.tsx";
import { Detail, DetailCard, DetailHead, PlainTable } from "./parts/detail.tsx";
import { ModelLink } from "./parts/model-link.tsx";

/** The page of one job: what it is, what happened to it and when. */
export function JobPage(): string {
  return (
    <Detail
      data="jobPage"
      section="jobs"
      label="Jobs"
      one="job"
      missing="The server remembers the last few hundred jobs, and no more of this one."
      everyS={2}
    >
      <DetailHead name="it.name">
        <button
          type="button"
          class="for-admins alarm"
          x-show="it.is_live"
          x-on:click="$store.operator.ask('cancel', it.id, it.name)"
        >
          Cancel
        </button>
      </DetailHead>
      <p class="notice-line warn-line" x-show="it.failure !== ''">
        <b x-text="it.failure"></b> <span x-text="it.message"></span>
      </p>
      <div class="card detail-card wide">
        <ol class="job-steps" aria-label="Timings">
          <template x-for="step in it.steps" x-bind:key="step.label">
            <li x-bind:class="step.tone">
              <span class="soft" x-text="step.label"></span>
              <b x-text="step.text"></b>
            </li>
          </template>
        </ol>
        <div class="span-bar" aria-hidden="true">
          <template x-for="step in it.parts" x-bind:key="step.tone">
            <i x-bind:class="step.tone" x-bind:style="{ flexGrow: step.ms }"></i>
          </template>
        </div>
        <dl class="fact-list">
          <div>
            <dt>Model</dt>
            <dd>
              <ModelLink of="it.model" />
            </dd>
          </div>
          <div x-show="it.worker !== ''">
            <dt>Worker</dt>
            <dd>
              <BoundLink
                look="cut"
                to="$store.route.href('workers', it.worker, { plugin: it.plugin })"
                text="it.worker_name"
              />
              <span class="soft" x-show="it.route !== ''" x-text="it.route"></span>
            </dd>
          </div>
          <div>
            <dt>Caller</dt>
            <dd>
              <BoundLink look="cut" to="$store.route.href('jobs', '', { caller: it.caller })" text="it.caller" />
            </dd>
          </div>
          <div>
            <dt>Request</dt>
            <dd>
              <span class="cut" x-text="it.request_id" x-bind:title="it.request_id"></span>
              <CopyButton text="it.request_id" what="the request's id" />
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
      <DetailCard title="Attempts">
        <PlainTable
          caption="Attempts of the job"
          list="it.attempts"
          rowKey="at"
          empty="No worker has had it."
          columns={[
            { label: "No.", cell: (<span x-text="at + 1"></span>) as string },
            {
              label: "Worker",
              cell: (
                <BoundLink
                  look="cut"
                  to="$store.route.href('workers', each.worker.id, { plugin: it.plugin })"
                  text="each.worker.name"
                />
              ) as string,
            },
            {
              label: "Result",
              cell: (
                <>
                  <span class="badge" x-bind:class="each.status" x-text="each.status"></span>{" "}
                  <span class="soft" x-show="each.reason" x-text="each.reason || ''"></span>
                </>
              ) as string,
            },
            {
              label: "Time",
              isNumber: true,
              cell: (<span x-text="$format.duration(each.running_ms)"></span>) as string,
            },
          ]}
        />
      </DetailCard>
    </Detail>
  ) as string;
}
