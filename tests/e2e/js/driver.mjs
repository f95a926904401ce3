// Runs what a test writes on stdin, a line of JSON each: {code, args} -> {value} or {error, name, uri}.
import { createInterface } from "node:readline";

const [module, wsModule] = process.argv.slice(2);
const radiod = await import(module);
const WebSocket = wsModule ? (await import(wsModule)).WebSocket : globalThis.WebSocket;
const AsyncFunction = (async () => {}).constructor;
const kept = {};
for await (const line of createInterface({ input: process.stdin })) {
  const { code, args } = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await new AsyncFunction("radiod", "kept", "WebSocket", "args", code)(radiod, kept, WebSocket, args)) ?? null };
  } catch (error) {
    answer = { error: String(error.stack ?? error), name: error.name ?? "", uri: error.uri ?? null, message: String(error.message) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
