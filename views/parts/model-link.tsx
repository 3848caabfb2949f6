/** @jsxImportSource @kitajs/html */
import { BoundLink } from "./bound-link.tsx";

/** What the server says in place of a name that no worker offers: `UNKNOWN_MODEL` of src/models/ended-request.ts. */
const UNKNOWN = "(unknown)";

/** The model of a job, as a link to its page. `of` is the expression for its name. A name that nobody offers has no page. */
export function ModelLink({ of }: { readonly of: string }): string {
  return (
    <>
      <BoundLink
        look="cut"
        when={`${of} !== '${UNKNOWN}'`}
        to={`$store.route.href('models', ${of})`}
        text={of}
        title={of}
      />
      <span class="soft" x-show={`${of} === '${UNKNOWN}'`}>
        {UNKNOWN}
      </span>
    </>
  ) as string;
}
