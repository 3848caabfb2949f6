// This file imports nothing, so that the dashboard's modules can load it in a browser.

/** The fewest requests of a minute for which a share of failures means anything. */
export const ENOUGH_REQUESTS = 20;
