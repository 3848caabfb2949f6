import type { AlpineApi } from "./alpine.js";

/**
 * Adds the directive `x-seen:10="load()"`, which evaluates its expression when its element comes into view, and every 10 s
 * while it stays there. What nobody looks at asks the server for nothing.
 */
export function registerSeen(alpine: AlpineApi): void {
  alpine.directive("seen", (element, { value, expression }, { evaluate, cleanup }) => {
    let isSeen = false;
    const run = (): void => void evaluate(expression);
    const observer = new IntersectionObserver((entries) => {
      const wasSeen = isSeen;
      isSeen = entries.at(-1)?.isIntersecting ?? false;
      if (isSeen && !wasSeen) run();
    });
    observer.observe(element);
    const timer = window.setInterval(() => {
      if (isSeen && !document.hidden) run();
    }, Number(value) * 1000);
    cleanup(() => {
      observer.disconnect();
      window.clearInterval(timer);
    });
  });
}
