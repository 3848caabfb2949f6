import type { Clock } from "../../../system/deps.ts";
import type { Member } from "./member.ts";

/** A question for one server. */
export interface Question<Answer> {
  readonly member: Member;
  /** Asks. MUST NOT call `take` before it has returned what cancels it. */
  readonly ask: (take: (answer: Answer) => void) => () => void;
}

export interface Gathering<Answer> {
  readonly clock: Clock;
  /** Called once, with the answers that came in time. */
  readonly onDone: (answers: ReadonlyMap<Member, Answer>) => void;
  /** Called for each answer that comes later. */
  readonly onLate?: (member: Member, answer: Answer) => void;
}

/** How long to wait for a server that has answered in time before: package runners fetch programs on their first start. */
const PATIENCE_MS = 10_000;
/** How much longer than for all the others to wait for one that has not: a part of their time, and at least this. */
const EXTRA_PART = 0.25;
const LEAST_EXTRA_MS = 50;
/** How late an answer may be before its question is cancelled: open questions take up room on the way to the server. */
const LATE_MS = 60_000;

/**
 * Asks several servers at once. A server that misses the deadline is not waited for next time, until it answers in time again;
 * so one that hangs delays one answer only. Questions that stay without an answer are cancelled after `LATE_MS`. Returns what cancels
 * all questions.
 */
export function gather<Answer>(
  questions: readonly Question<Answer>[],
  { clock, onDone, onLate }: Gathering<Answer>,
): () => void {
  const startedAt = clock.elapsed();
  const answers = new Map<Member, Answer>();
  /** What cancels the questions without an answer. */
  const cancels = new Map<Member, () => void>();
  const trusted = questions.filter(({ member }) => member.isTrusted);
  const awaited = trusted.length > 0 ? trusted : questions;
  let isDone = false;
  let isExtra = false;
  let stopTimer = clock.after(PATIENCE_MS, () => finish());
  const cancelAll = (): void => {
    stopTimer();
    for (const cancel of cancels.values()) cancel();
    cancels.clear();
  };
  const finish = (): void => {
    if (isDone) return;
    isDone = true;
    stopTimer();
    for (const { member } of questions) member.isTrusted = answers.has(member);
    if (cancels.size > 0) stopTimer = clock.after(LATE_MS, cancelAll);
    onDone(answers);
  };
  const take = (member: Member, answer: Answer): void => {
    if (!cancels.delete(member)) return;
    if (isDone) {
      if (cancels.size === 0) stopTimer();
      return onLate?.(member, answer);
    }
    answers.set(member, answer);
    if (cancels.size === 0) return finish();
    // Each of those that were late before would otherwise begin the wait anew.
    if (isExtra || !awaited.every((each) => answers.has(each.member))) return;
    isExtra = true;
    stopTimer();
    const extraMs = Math.max(LEAST_EXTRA_MS, EXTRA_PART * (clock.elapsed() - startedAt));
    stopTimer = clock.after(extraMs, () => finish());
  };
  for (const { member, ask } of questions)
    cancels.set(
      member,
      ask((answer) => take(member, answer)),
    );
  if (questions.length === 0) queueMicrotask(finish);
  return () => {
    isDone = true;
    cancelAll();
  };
}
