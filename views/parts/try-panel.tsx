/** @jsxImportSource @kitajs/html */
import type { PropsWithChildren } from "@kitajs/html";
import { Empty, type EmptyProps } from "../empty.tsx";

export interface TryPanelProps {
  /** The panel's id in the address: `#playground?panel=chat`. */
  readonly id: string;
  /** Its name in the choice of panels. */
  readonly label: string;
  readonly title: string;
  /** What it does, in a sentence. */
  readonly text: string;
  /** Its component. */
  readonly data: string;
}

/** One panel of the playground, of which one is shown at a time. */
export function TryPanel({ id, label, title, text, data, children }: PropsWithChildren<TryPanelProps>): string {
  return (
    <section
      class="try card"
      data-panel={id}
      data-label={label}
      x-show={`isPanel('${id}')`}
      x-data={data}
      aria-labelledby={`try-${id}`}
    >
      <div>
        <h3 id={`try-${id}`} safe>
          {title}
        </h3>
        <p class="soft" safe>
          {text}
        </p>
      </div>
      {children as "safe"}
    </section>
  ) as string;
}

/** What is shown while nobody serves what the panel needs, and the panel's controls for when somebody does. */
export function IfServed({
  when,
  empty,
  children,
}: PropsWithChildren<{
  /** An expression. */
  readonly when: string;
  readonly empty: EmptyProps;
}>): string {
  return (
    <>
      <div x-show={`!(${when})`}>
        <Empty {...empty} />
      </div>
      <div class="try-body" x-show={when}>
        {children as "safe"}
      </div>
    </>
  ) as string;
}

/** A button that chooses files. `change` is an expression for its change. */
export function FileButton({
  id,
  label,
  accept,
  change,
  isMultiple = false,
}: {
  readonly id: string;
  readonly label: string;
  readonly accept?: string;
  readonly change: string;
  readonly isMultiple?: boolean;
}): string {
  return (
    <label class="button file" for={id}>
      <input
        id={id}
        class="unseen"
        type="file"
        multiple={isMultiple}
        {...(accept === undefined ? {} : { accept })}
        x-on:change={change}
      />
      <span safe>{label}</span>
    </label>
  ) as string;
}

/** The buttons below a form that start and stop what the panel does, and how far that is. All but the label are expressions. */
export function RunButtons({
  label,
  disabled,
  status,
}: {
  readonly label: string;
  readonly disabled: string;
  readonly status: string;
}): string {
  return (
    <div class="buttons">
      <button type="submit" class="main" x-bind:disabled={disabled} safe>
        {label}
      </button>
      <button type="button" x-on:click="stop()" x-show="isRunning">
        Stop
      </button>
      <span class="soft" role="status" x-text={status}></span>
    </div>
  ) as string;
}
