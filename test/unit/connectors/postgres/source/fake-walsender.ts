import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { Framer } from '#connectors/postgres/wire/framer.ts';

/** A status update of the client. */
export interface Status {
  readonly written: bigint;
  readonly flushed: bigint;
  readonly asksForAnswer: boolean;
}

/** As much of a server as a replication client sees: lets everybody in, identifies itself, streams what a test says. */
export class FakeWalsender implements AsyncDisposable {
  readonly statuses: Status[] = [];
  /** Commands in the order they came, CopyDone as "copy done", Terminate as "terminate". */
  readonly commands: string[] = [];
  /** Answers START_REPLICATION; the stream is open unless it says otherwise. */
  onStart: () => Buffer = () => message('W', Buffer.from([0, 0, 0]));
  readonly #server: Server;
  #socket: Socket | undefined;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.#accept(socket);
    });
  }

  static async listen(): Promise<FakeWalsender> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FakeWalsender(server);
  }

  get url(): string {
    return `postgresql://reader@127.0.0.1:${(this.#server.address() as AddressInfo).port}/d?sslmode=disable`;
  }

  /** Sends bytes as they are. @returns false when the client does not take them any more */
  send(...bytes: readonly Buffer[]): boolean {
    return this.#socket!.write(Buffer.concat(bytes));
  }

  /** A change, as the output plugin writes it. */
  change(plugin: Buffer): boolean {
    return this.send(message('d', Buffer.from('w'), Buffer.alloc(24), plugin));
  }

  keepAlive(walEnd: bigint, asksForAnswer: boolean): boolean {
    const body = Buffer.alloc(17);
    body.writeBigUInt64BE(walEnd);
    body[16] = asksForAnswer ? 1 : 0;
    return this.send(message('d', Buffer.from('k'), body));
  }

  /** Closes the connection without a word. */
  drop(): void {
    this.#socket!.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket?.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(socket: Socket): void {
    this.#socket = socket;
    socket.on('error', () => undefined);
    // The first message has no type byte; it fits one chunk.
    socket.once('data', () => {
      const framer = new Framer('source');
      socket.on('data', (chunk: Buffer) => {
        framer.push(chunk, (type, buf, start, end) => {
          this.#receive(String.fromCharCode(type), Buffer.from(buf.subarray(start, end)));
        });
      });
      this.send(message('R', Buffer.alloc(4)), READY);
    });
  }

  #receive(type: string, body: Buffer): void {
    if (type === 'd') {
      const [written, flushed] = [body.readBigUInt64BE(1), body.readBigUInt64BE(9)];
      this.statuses.push({ written, flushed, asksForAnswer: body[33] === 1 });
    } else if (type === 'c') {
      this.commands.push('copy done');
      this.send(message('c'), message('C', Buffer.from('COPY 0\0')), READY);
    } else if (type === 'X') {
      this.commands.push('terminate');
    } else if (type === 'Q') {
      const command = body.toString('utf8', 0, body.length - 1);
      this.commands.push(command);
      if (command === 'IDENTIFY_SYSTEM')
        this.send(...identity(), message('C', Buffer.from('IDENTIFY_SYSTEM\0')), READY);
      else this.send(this.onStart());
    }
  }
}

export function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const header = Buffer.alloc(5);
  header.write(type);
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

export function errorResponse(sqlstate: string, text: string): Buffer {
  return message('E', Buffer.from(`SERROR\0VERROR\0C${sqlstate}\0M${text}\0\0`));
}

const READY = message('Z', Buffer.from('I'));

/** systemid 42 on timeline 3. */
function identity(): Buffer[] {
  const columns = ['systemid', 'timeline'];
  const described = columns.map((name) => {
    const rest = Buffer.alloc(18);
    rest.writeInt32BE(25, 6);
    return Buffer.concat([Buffer.from(`${name}\0`), rest]);
  });
  const values = ['42', '3'].map((value) => Buffer.concat([Buffer.from([0, 0, 0, value.length]), Buffer.from(value)]));
  return [message('T', Buffer.from([0, 2]), ...described), message('D', Buffer.from([0, 2]), ...values)];
}
