// The part of Alpine's interface that the page uses. The package has no types of its own.

export interface AlpineApi {
  store<T extends object>(name: string, value: T): void;
  store<T extends object>(name: string): T;
  /** Makes what reads a member of the value notice when it changes. */
  reactive<T extends object>(value: T): T;
  data(name: string, create: (...args: never[]) => object): void;
  magic(name: string, create: (element: HTMLElement) => unknown): void;
  directive(
    name: string,
    connect: (
      element: HTMLElement,
      directive: { readonly value: string; readonly expression: string },
      tools: {
        readonly effect: (run: () => void) => void;
        readonly evaluate: (expression: string) => unknown;
        readonly cleanup: (run: () => void) => void;
      },
    ) => void,
  ): void;
  start(): void;
}

export declare const Alpine: AlpineApi;
