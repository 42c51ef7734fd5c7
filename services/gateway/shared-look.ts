/**
 * One look for all who ask while the one before is under way: each is told what is seen after he asked, never what was before. However many ask,
 * no more than one looks at a time.
 */
export class SharedLook<T> {
  #running: Promise<T> | undefined;
  #next: Promise<T> | undefined;

  take(look: () => Promise<T>): Promise<T> {
    if (!this.#running) return this.#begin(look);
    const begin = (): Promise<T> => this.#begin(look);
    this.#next ??= this.#running.then(begin, begin);
    return this.#next;
  }

  #begin(look: () => Promise<T>): Promise<T> {
    this.#next = undefined;
    const running = look().finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }
}
