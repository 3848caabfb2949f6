/** @jsxImportSource @kitajs/html */

/** The part of “Add a worker” in which workers arrive: markup for its component. */
export function Arrivals(): string {
  return (
    <div class="card step" aria-live="polite">
      <h3>The worker arrives here</h3>
      <p class="soft" x-show="startedAt === 0">
        As soon as there is a line, this page waits for its worker and asks it for a first answer.
      </p>
      <template x-for="arrival in arrivals" x-bind:key="arrival.worker.id">
        <Arrival />
      </template>
      <div class="arrival" x-show="isWaiting() && waiting() === 'waiting'">
        <span class="spinner" aria-hidden="true"></span>
        <div>
          <b x-text="arrivals.length === 0 ? 'Waiting for the worker…' : 'Waiting for the next worker…'"></b>
          <p class="soft">The first time, the line downloads the program, which takes up to a minute.</p>
        </div>
      </div>
      <div class="arrival" x-show="isWaiting() && arrivals.length === 0 && waiting() === 'late'">
        <span class="spinner" aria-hidden="true"></span>
        <TooLong />
      </div>
    </div>
  ) as string;
}

function Arrival(): string {
  return (
    <div class="arrival" x-bind:data-phase="phase(arrival)">
      <span class="dot" x-bind:class="phase(arrival)" aria-hidden="true"></span>
      <div>
        <p>
          <b x-text="arrival.worker.name || arrival.worker.id"></b>{" "}
          <span x-text="phase(arrival) === 'not_ready' ? 'has arrived, but is not ready' : phase(arrival) === 'answered' ? 'has arrived and answered' : phase(arrival) === 'unanswered' ? 'has arrived, but did not answer' : 'has arrived'"></span>
        </p>
        <p class="tags" x-show="arrival.worker.models.length > 0">
          <template x-for="model in arrival.worker.models.slice(0, 8)" x-bind:key="model">
            <span class="tag" x-text="model"></span>
          </template>
          <span
            class="soft"
            x-show="arrival.worker.models.length > 8"
            x-text="'and ' + (arrival.worker.models.length - 8) + ' more'"
          ></span>
        </p>
        <div x-show="phase(arrival) === 'not_ready'">
          <p class="alarm" x-text="arrival.worker.reason || 'It does not say why.'"></p>
          <p class="soft">
            The worker looks again by itself. Check that what it serves runs at the address above, and has a model.
          </p>
        </div>
        <div x-show="arrival.isAsking || arrival.isThere">
          <p
            class="soft"
            x-text="arrival.isAsking ? 'Asking it for a first answer… A model that has to be loaded takes a while.' : arrival.question"
          ></p>
          <blockquote class="first-answer" x-show="arrival.text !== ''" x-text="arrival.text"></blockquote>
          <p class="soft" x-show="arrival.figures !== ''" x-text="arrival.figures"></p>
        </div>
        <div x-show="phase(arrival) === 'unanswered'">
          <p class="alarm" role="alert" x-text="arrival.problem"></p>
          <button type="button" class="small" x-on:click="askNow(arrival)">
            Ask again
          </button>
        </div>
        <p class="buttons" x-show="arrival.isThere">
          <a
            class="button main"
            href="#use"
            x-show="program().kind === 'llm'"
            x-bind:href="$store.route.href('use', '', { model: arrival.worker.models[0] || '' })"
          >
            Use it
          </a>
          <a
            class="button"
            href="#workers"
            x-bind:href="program().kind === 'mcp' ? $store.route.href('mcp') : $store.route.href('workers', arrival.worker.id, { plugin: program().kind })"
          >
            Open its page
          </a>
        </p>
      </div>
    </div>
  ) as string;
}

function TooLong(): string {
  return (
    <div>
      <b>No worker has arrived for a minute.</b>
      <p class="soft">The page still waits. What to check on that machine:</p>
      <ul class="checks">
        <li>Does the command still run, and what was the last thing that it said?</li>
        <li>
          Does the machine reach this server? This prints <code>ok</code> or a short JSON text:
          <div class="command" x-data="copy">
            <code tabindex="0" x-text="'curl -fsS ' + origin + '/healthz'"></code>
            <button
              type="button"
              class="small"
              x-on:click="copyText('curl -fsS ' + origin + '/healthz')"
              x-text="isCopied ? 'Copied' : 'Copy'"
            >
              Copy
            </button>
          </div>
        </li>
        <li>Does a proxy of the network stand between? The worker takes it from HTTPS_PROXY.</li>
        <li>
          Is Node 18 or newer there? <code>node --version</code> tells.
        </li>
      </ul>
    </div>
  ) as string;
}
