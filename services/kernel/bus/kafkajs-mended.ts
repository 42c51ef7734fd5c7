import { createRequire } from 'node:module';
import kafkajs, { type Broker } from 'kafkajs';

// kafkajs 2.2.4 is pinned and nobody maintains it any more; what is wrong in it is mended here. Import it for that.
const require = createRequire(import.meta.url);

interface RequestQueue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  scheduleCheckPendingRequests(): void;
}

// After each answer it sets a timer to look whether requests wait, also when none does: minus 56 years from now, of which Node
// warns on stderr.
const queue = (require('kafkajs/src/network/requestQueue') as { prototype: RequestQueue }).prototype;
const scheduleCheck = Reflect.get(queue, 'scheduleCheckPendingRequests');
queue.scheduleCheckPendingRequests = function () {
  if (this.pending.length > 0 || this.throttledUntil > Date.now()) scheduleCheck.call(this);
};

// It counts a broker as connected that takes connections and never answers (frozen, or behind a network that swallows), asks it
// again and again, and none of the others: it was silent before it has told its versions, so it is no better than one that refuses.
const broker = (require('kafkajs/src/broker') as { prototype: Broker }).prototype;
const connectBroker = Reflect.get(broker, 'connect');
broker.connect = async function () {
  try {
    await connectBroker.call(this);
  } catch (error) {
    if (!(error instanceof kafkajs.KafkaJSRequestTimeoutError)) throw error;
    await this.disconnect();
    throw new kafkajs.KafkaJSConnectionError(error.message, { broker: error.broker });
  }
};

interface Exchange {
  readonly request: unknown;
  readonly response: { decode(raw: unknown): Promise<unknown>; parse(data: unknown): Promise<unknown> };
}

interface Definition {
  protocol(version: { readonly version: number }): (options: { readonly topics: readonly string[] }) => Exchange;
}

// Whoever makes, lists, or deletes topics asks about all topics of the cluster first, and one topic without a leader, somebody
// else's or not, makes that fail. What a topic is without matters only to who asks about that topic.
const metadata = require('kafkajs/src/protocol/requests/metadata') as Definition;
const protocol = Reflect.get(metadata, 'protocol');
metadata.protocol = (version) => {
  const exchange = protocol(version);
  return (options) => {
    const { request, response } = exchange(options);
    const aboutAll = options.topics.length === 0;
    return { request, response: aboutAll ? { ...response, parse: (data) => Promise.resolve(data) } : response };
  };
};
