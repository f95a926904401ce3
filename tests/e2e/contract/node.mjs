// The driver in Node: a line of JSON in, a line out. Node 20 has no WebSocket of its own.

import { createInterface } from "node:readline";

import { Driver } from "./driver.js";

const { WebSocket } = globalThis.WebSocket ? globalThis : await import("ws");
const driver = new Driver({ WebSocket });
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  console.log(JSON.stringify(await driver.answer(request)));
  if (request.do === "close") break;
}
process.stdin.destroy();
