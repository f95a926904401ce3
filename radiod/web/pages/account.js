// The account page. The key is held in a variable, and nowhere else.

const at = (id) => document.getElementById(id);
const numbers = new Intl.NumberFormat(undefined);
const WORDS = {
  publish_rate: "Published a second", publish_burst: "Published at once",
  publish_day: "Published a day", publish_month: "Published a month",
  call_rate: "Calls a second", call_burst: "Calls at once",
  deliver_rate: "Delivered a second, each listener",
  deliver_day: "Delivered a day", deliver_month: "Delivered a month",
  bytes_day: "Bytes a day", bytes_month: "Bytes a month",
  connections: "Connections", channels: "Channels of its own",
  buffer_size: "Events in a buffer", buffer_bytes: "Bytes in a buffer",
  history_seconds: "Seconds of history", over: "When used up",
};
const COUNTS = { publish: "published", deliver: "delivered", bytes: "bytes" };

let key = null;
let statement = null;

function ask(path, options = {}) {
  return fetch(path, { ...options, headers: { Accept: "application/json", "API-KEY": key, ...options.headers }, cache: "no-store" });
}

async function read(answer) {
  const told = await answer.json().catch(() => ({ error: `the server answered ${answer.status}` }));
  if (!answer.ok) throw new Error(told.reason ? `${told.error}: ${told.reason}` : told.error);
  return told;
}

function fill(table, rows) {
  const body = at(table).tBodies[0];
  body.replaceChildren(...rows.map((cells) => {
    const row = document.createElement("tr");
    cells.forEach((cell, index) => {
      const made = document.createElement(index ? "td" : "th");
      if (!index) made.scope = "row";
      if (cell && typeof cell === "object") {
        made.textContent = cell.text;
        made.className = cell.kind;
      } else {
        made.textContent = cell ?? "–";
      }
      row.append(made);
    });
    return row;
  }));
}

function day(seconds) {
  return seconds == null ? null : new Date(seconds * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

function number(value) {
  return typeof value === "number" ? numbers.format(value) : String(value);
}

function limitRow([name, allowed]) {
  const [what, period] = name.split("_");
  const isQuota = (period === "day" || period === "month") && what in COUNTS;
  if (!isQuota) {
    const used = name === "connections" ? number(statement.connections) : null;
    return [WORDS[name] ?? name, number(allowed), used, null, null];
  }
  const used = statement.used[period][COUNTS[what]];
  const left = Math.max(0, allowed - used);
  return [WORDS[name], number(allowed), number(used), { text: number(left), kind: left ? "number" : "spent" }, day(statement.resets[period])];
}

function show() {
  at("who").textContent = statement.account;
  at("plan").textContent = statement.plan ?? "";
  const limits = Object.entries(statement.limits).filter(([name]) => name in WORDS && (name !== "over" || Object.keys(statement.limits).length > 1));
  at("limits").hidden = limits.length === 0;
  at("unlimited").hidden = limits.length > 0;
  fill("limits", limits.map(limitRow));
  const used = ({ published, delivered, bytes }) => [published, delivered, bytes].map(number);
  fill("used", [["Today (UTC)", ...used(statement.used.day)], ["This month", ...used(statement.used.month)]]);
  at("connections").textContent = statement.connections === 1 ? "1 connection is open" : `${number(statement.connections)} connections are open`;
  fill("keys", statement.keys.map((one) => [one.id, one.label, one.hint ? `…${one.hint}` : null, one.state, day(one.valid_until), day(one.last_used)]));
  at("rotation").hidden = !statement.self_rotate;
  at("ask").hidden = true;
  at("statement").hidden = at("forget").hidden = false;
}

async function attempt(act) {
  at("problem").hidden = true;
  try {
    await act();
  } catch (error) {
    at("problem").textContent = error instanceof TypeError ? "The server cannot be reached." : error.message;
    at("problem").hidden = false;
  }
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    key = at("key").value.trim();
    at("key").value = "";
    statement = await read(await ask("account"));
    show();
  });
});

at("forget").addEventListener("click", () => {
  key = statement = null;
  at("who").textContent = at("secret").textContent = "";
  at("secret").hidden = at("statement").hidden = at("forget").hidden = at("problem").hidden = true;
  at("ask").hidden = false;
  at("key").focus();
});

at("csv").addEventListener("click", () => attempt(async () => {
  const month = new Date().toISOString().slice(0, 7);
  const answer = await ask(`account/usage.csv?month=${month}`);
  if (!answer.ok) await read(answer);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = `usage-${month}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}));

at("rotate").addEventListener("click", () => attempt(async () => {
  const made = await read(await ask("account/rotate", { method: "POST", body: "{}", headers: { "Content-Type": "application/json" } }));
  key = made.key;
  at("secret").textContent = made.key;
  at("secret").hidden = false;
  statement = await read(await ask("account"));
  show();
}));
