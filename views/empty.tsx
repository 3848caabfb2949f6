/** @jsxImportSource @kitajs/html */

export interface EmptyProps {
  /** What is not there: "No workers yet". */
  readonly title: string;
  /** What that means, or what to do. */
  readonly text: string;
  /** The next step: a link to another section, such as `#add?kind=llm`. Viewers do not see one that is for admins. */
  readonly action?: { readonly href: string; readonly label: string; readonly isForAdmins?: boolean };
}

/** What a list or a page shows when there is nothing to show: what is missing, and the next step. */
export function Empty({ title, text, action }: EmptyProps): string {
  return (
    <div class="empty-state">
      <p class="empty-title" safe>
        {title}
      </p>
      <p class="soft" safe>
        {text}
      </p>
      {action === undefined ? (
        ""
      ) : (
        <a class={action.isForAdmins === true ? "button main for-admins" : "button main"} href={action.href} safe>
          {action.label}
        </a>
      )}
    </div>
  ) as string;
}
