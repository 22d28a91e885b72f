// An origin whose answers the test gives.

/** One call that the origin got. */
export interface Call<A extends unknown[]> {
  readonly arguments: A;
  /** Commits. */
  resolve(): void;
  /** Fails. */
  reject(reason: unknown): void;
}

/** A function that records its calls and settles them when the test says so. */
export class ControlledOrigin<A extends unknown[]> {
  readonly calls: Call<A>[] = [];

  readonly write = (...given: A): Promise<void> =>
    new Promise((resolve, reject) => this.calls.push({ arguments: given, resolve, reject }));

  /** The call of that number, from 0. */
  call(index: number): Call<A> {
    const found = this.calls[index];
    if (!found) throw new Error(`the origin was called ${this.calls.length} times only`);
    return found;
  }
}
