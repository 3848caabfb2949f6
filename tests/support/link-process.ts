import { startRealLinks } from "./real-links.ts";

// A server of a cluster, as far as its links go, for tests that kill or freeze it. It prints what a peer must know to dial it,
// and serves exchanges that never end.

const { contact } = startRealLinks("b", {
  admit: () => ({
    ok: true,
    open: () => ({ consumed: () => {}, cancel: () => {}, lastProgressAt: 0, isWaitingForUs: false }),
    onEnd: () => {},
    onSettled: () => {},
  }),
});
process.stdout.write(`${JSON.stringify(contact)}\n`);
