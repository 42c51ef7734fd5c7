/** Transactions of more bytes than this, on the average, are large: some hundred rows. */
const LARGE_BYTES = 16 * 1024;

/** Tells, from the messages that pass, whether they come in small transactions. */
export class TransactionSizes {
  readonly #windowBytes: number;
  #bytes = 0;
  #commits = 0;

  /** @param windowBytes so much is looked at each time, in bytes of messages */
  constructor(windowBytes: number) {
    this.#windowBytes = windowBytes;
  }

  /** @returns true after a commit, now and then, when the transactions since the last time were small */
  saw(bytes: number, isCommit: boolean): boolean {
    this.#bytes += bytes;
    if (!isCommit) return false;
    this.#commits++;
    if (this.#bytes < this.#windowBytes) return false;
    const small = this.#bytes / this.#commits <= LARGE_BYTES;
    this.#bytes = 0;
    this.#commits = 0;
    return small;
  }
}
