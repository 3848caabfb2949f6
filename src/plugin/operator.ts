/** Operators' actions on a plugin's workers. Each method returns false for an id that the plugin does not know. */
export interface WorkerOperator {
  /** Gives the worker no more jobs, or gives it jobs again. */
  drainWorker(workerId: string, on: boolean): boolean;
  /** Closes the worker's session in a way after which the worker may come back. */
  disconnectWorker(workerId: string): boolean;
}

/** Operators' actions on a plugin's jobs. */
export interface JobOperator {
  /** Ends the job; its client gets `canceled_by_operator`. False for an id that the plugin does not know. */
  cancelJob(jobId: string): boolean;
}
