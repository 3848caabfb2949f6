/** The fewest requests of a minute for which a share of failures means anything. */
export const ENOUGH_REQUESTS = 20;
