// Listens to an event stream with a stock client, and prints each event's data: node events.mjs CLIENT URL
import polyfill from "event-source-polyfill";
import { EventSource } from "eventsource";

const [, , client, url] = process.argv;
const Source = { polyfill: polyfill.EventSourcePolyfill, eventsource: EventSource }[client];
const source = new Source(url);
source.onmessage = (event) => console.log(`${event.lastEventId} ${event.data}`);
