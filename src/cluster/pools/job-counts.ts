/** Counts jobs that cross servers, for all pools of this server together. */
export class JobCounts {
  /** Jobs of this server that a worker of a peer took, and those that a peer refused because no slot was free. */
  jobsOut = 0;
  refusedOut = 0;
  /** The same for jobs of peers, as the server that has the worker sees them. */
  jobsIn = 0;
  refusedIn = 0;
}
