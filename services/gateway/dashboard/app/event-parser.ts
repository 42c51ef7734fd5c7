/** One server-sent event, its data not yet read. */
export interface RawEvent {
  readonly type: string;
  readonly data: string;
}

/** Takes the text of a stream of server-sent events in pieces of any cut. */
export class EventParser {
  #rest = '';

  /** What is complete with this piece. */
  push(text: string): RawEvent[] {
    this.#rest += text;
    const blocks = this.#rest.split(/\r?\n\r?\n/);
    this.#rest = blocks.pop() ?? '';
    return blocks.flatMap((block) => {
      let type = 'message';
      const data: string[] = [];
      for (const line of block.split(/\r?\n/)) {
        if (line.startsWith('event:')) type = line.slice(6).trim();
        else if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
      }
      return data.length === 0 ? [] : [{ type, data: data.join('\n') }];
    });
  }
}
