/**
 * The page of operators: who is there, who is slow, what is busy, who used what, the log, kill and drain.
 *
 * It asks once in two seconds, while somebody can see it. The ticket is in this page's memory and nowhere else.
 */

import { Log } from "./adminlog.js";
import { Table } from "./admintable.js";
import { bytes, shown } from "./admintext.js";
import { ago, amount, count } from "./format.js";
import { OnAir } from "./onair.js";
import { element, reveal, write } from "./page.js";
import { CallError, CallTimeout, Disconnected, Radio } from "./radiod.js";

const EVERY_MS = 2000;
const PATIENCE_MS = 10_000;
const ROWS = 20;
const SESSIONS = 50;

const onAir = new OnAir();
const log = new Log();
/** @type {Radio | null} */
let radio = null;
let realm = "";
let timer = 0;
/** Whether answers are waited for, and whether somebody wants others already. */
let isAsking = false;
let isHurried = false;
/** Which sessions are shown: behind `after`; `next`: where the next page begins. @type {{after: number | null, next: number | null}} */
const page = { after: null, next: null };

const number = (/** @type {string} */ label, /** @type {(row: any) => any} */ of) => ({ label, of, kind: /** @type {const} */ ("number") });
const rate = (/** @type {number | null} */ value) => (value === null ? "–" : amount(value));

/** @param {any} row */
const channelOf = (row) => (row.channel === null ? { text: "private", kind: "off" } : row.match === "prefix" ? `${row.channel}*` : row.channel);

/** @param {any} row */
const buffered = (row) => ({
  value: row.queued,
  most: row.size,
  text: row.size > 0 ? `${count(row.queued)} of ${count(row.size)}` : count(row.queued),
});

/** @param {any} row */
const ending = (row) => ({ act: () => askToEnd(row), label: "End…", told: `End session ${row.session} of ${row.authid}` });

/** @param {string} id */
const emptied = (id) => document.querySelector(`[data-for=${id}]`);

const listeners = new Table(element("listeners"), emptied("listeners"), (row) => `${row.session} ${row.match} ${row.channel}`, [
  { label: "Who", of: (row) => row.authid, kind: "words" },
  { label: "Channel", of: channelOf, kind: "words" },
  { label: "Buffer", of: buffered, kind: "words" },
  number("Bytes", (row) => bytes(row.queued_bytes)),
  number("Lost", (row) => ({ text: count(row.lost), kind: row.lost > 0 ? "bad" : "" })),
  { label: "When full", of: (row) => row.policy },
  { label: "", of: ending, kind: "act" },
]);

const channels = new Table(element("channels"), emptied("channels"), (row) => `${row.public} ${row.name}`, [
  { label: "Channel", of: (row) => row.name, kind: "words" },
  number("Listeners", (row) => (row.readers === null ? "–" : count(row.readers))),
  number("In /s", (row) => rate(row.published_per_s)),
  number("Out /s", (row) => rate(row.delivered_per_s)),
  number("Lost /s", (row) => ({ text: rate(row.dropped_per_s), kind: row.dropped_per_s > 0 ? "bad" : "" })),
  number("Events", (row) => (row.published === null ? "–" : count(row.published))),
]);

const sessions = new Table(element("sessions"), emptied("sessions"), (row) => String(row.session), [
  { label: "User", of: (row) => row.authid, kind: "words" },
  { label: "Role", of: (row) => row.authrole },
  { label: "By", of: (row) => row.authmethod },
  { label: "Agent", of: (row) => row.agent, kind: "words" },
  { label: "From", of: (row) => row.peer, kind: "words" },
  number("Subscribed", (row) => count(row.subscriptions)),
  number("Registered", (row) => count(row.registrations)),
  number("Waiting", (row) => count(row.queued)),
  number("Lost", (row) => ({ text: count(row.lost), kind: row.lost > 0 ? "bad" : "" })),
  number("Unread", (row) => bytes(row.backlog_bytes)),
  { label: "", of: ending, kind: "act" },
]);

const keys = new Table(element("keys"), emptied("keys"), (row) => `${row.account} ${row.key}`, [
  { label: "Key or user", of: (row) => row.key, kind: "words" },
  { label: "Account", of: (row) => row.account, kind: "words" },
  number("Published", (row) => count(row.published)),
  number("Delivered", (row) => count(row.delivered)),
  number("Lost", (row) => ({ text: count(row.dropped), kind: row.dropped > 0 ? "bad" : "" })),
  number("Refused", (row) => ({ text: count(row.refused), kind: row.refused > 0 ? "bad" : "" })),
  number("Calls", (row) => count(row.calls)),
  number("In", (row) => bytes(row.bytes_in)),
  number("Out", (row) => bytes(row.bytes_out)),
  number("Channels", (row) => count(row.channels)),
  number("Connected", (row) => ago(row.seconds * 1000)),
]);

/** Name of a figure → what it is, of `radiod.server.stats`. @type {Record<string, (told: any) => string>} */
const FIGURES = {
  Connections: (told) => count(told.counters.port.connections),
  Sessions: (told) => count(told.sessions),
  Channels: (told) => count(told.channels),
  "Published /s": (told) => amount(told.published_per_s),
  "Delivered /s": (told) => amount(told.delivered_per_s),
  "Out /s": (told) => bytes(told.bytes_out_per_s),
  Waiting: (told) => count(told.queued),
  Lost: (told) => count(sum(told.dropped)),
  Refused: (told) => count(sum(told.refused)),
  "Loop late by": (told) => `${amount(told.loop_lag.max * 1000)} ms`,
  "Up for": (told) => ago(told.uptime * 1000),
};

/** @param {Record<string, number>} counts */
function sum(counts) {
  return Object.values(counts).reduce((all, one) => all + one, 0);
}

/** @param {any} told */
function showFigures(told) {
  const list = element("figures");
  if (list.childElementCount === 0) {
    for (const name of Object.keys(FIGURES)) {
      const [figure, term, value] = ["div", "dt", "dd"].map((tag) => document.createElement(tag));
      term.textContent = name;
      figure.append(term, value);
      list.append(figure);
    }
  }
  Object.values(FIGURES).forEach((of, index) => {
    const value = list.children[index].lastElementChild;
    const text = of(told);
    if (value.textContent !== text) value.textContent = text;
  });
}

// --- asking

/** What is asked for in each round: procedure, arguments, and who shows it. @type {[string, () => Record<string, any>, (told: any) => void, string][]} */
const QUESTIONS = [
  ["radiod.server.stats", () => ({}), showFigures, "server"],
  ["radiod.admin.listeners", () => ({ limit: ROWS }), (told) => listeners.show(told.listeners), "listeners"],
  ["radiod.admin.channels", () => ({ limit: ROWS }), showChannels, "channels"],
  ["radiod.admin.sessions", () => ({ limit: SESSIONS, after: page.after, find: element("find").value.trim() }), showSessions, "sessions"],
  ["radiod.admin.usage.hour", () => ({ limit: ROWS }), (told) => keys.show(told.keys), "keys"],
  ["radiod.admin.log", () => ({ after: log.after, limit: 200 }), (told) => log.add(told), "log"],
];

/** @param {any} told */
function showChannels(told) {
  channels.show(told.channels);
  element("private").hidden = told.private === 0;
  write("private", `And ${count(told.private)} private ${told.private === 1 ? "channel" : "channels"}, for members alone.`);
}

/** @param {any} told */
function showSessions(told) {
  sessions.show(told.sessions);
  page.next = told.next;
  write("total", `· ${count(told.total)}`);
  element("next").disabled = told.next === null;
  element("first").disabled = page.after === null;
}

/** One round; the next one begins some time after its end. */
async function round() {
  clearTimeout(timer);
  if (radio === null || document.hidden || document.documentElement.dataset.state !== "open") return;
  if (isAsking) {
    isHurried = true;
    return;
  }
  isAsking = true;
  isHurried = false;
  const asked = radio;
  await Promise.all([...QUESTIONS.map((question) => pose(asked, question)), showReadiness()]);
  isAsking = false;
  clearTimeout(timer);
  timer = setTimeout(round, isHurried ? 0 : EVERY_MS);
}

/** @param {Radio} asked @param {typeof QUESTIONS[number]} question */
async function pose(asked, [procedure, args, show, card]) {
  try {
    const told = await asked.call(procedure, [], { kwargs: args(), timeout: PATIENCE_MS });
    if (asked === radio) show(told);
    refuse(card, "");
  } catch (error) {
    if (error instanceof CallTimeout) asked.check();
    else if (error instanceof CallError) refuse(card, error.message);
    else if (!(error instanceof Disconnected)) throw error;
  }
}

/** Say in its place why something is not shown. @param {string} card @param {string} why */
function refuse(card, why) {
  const title = element(`${card}-title`);
  let told = title.parentElement.querySelector(".warning");
  if (told === null && why !== "") {
    told = document.createElement("p");
    told.className = "warning";
    title.after(told);
  }
  if (told !== null) {
    told.hidden = why === "";
    told.textContent = shown(why, 300);
  }
}

async function showReadiness() {
  try {
    const answer = await fetch("readyz", { cache: "no-store" });
    const { ready, reasons } = await answer.json();
    write("ready", ready ? "ready" : shown(reasons.join(", "), 200));
    element("ready").dataset.good = String(ready);
    element("ready").hidden = false;
    element("undrain").hidden = !reasons.some((/** @type {string} */ reason) => reason.startsWith("draining"));
  } catch {
    // The connection's own state says more.
    element("ready").hidden = true;
  }
}

// --- acting

/** @type {() => void} */
let agreed = () => {};

/** @param {string} title @param {string} text @param {string} yes @param {() => void} act */
function ask(title, text, yes, act) {
  write("ask-title", title);
  write("ask-text", text);
  write("ask-yes", yes);
  agreed = act;
  element("ask").showModal();
}

element("ask-no").addEventListener("click", () => element("ask").close());
element("ask-yes").addEventListener("click", () => {
  element("ask").close();
  agreed();
});

/** @param {any} row */
function askToEnd(row) {
  const who = `${shown(row.authid)}, role ${shown(row.authrole)}${row.peer ? `, from ${shown(row.peer)}` : ""}`;
  ask("End this session?", `${who}: session ${row.session}. The client is told, and may come back.`, "End session", () =>
    act("wamp.session.kill", [row.session], { message: "ended by an operator" }),
  );
}

element("drain").addEventListener("click", () => {
  const over = Math.min(86_400, Math.max(0, Number(element("over").value) || 0));
  const text = `Nobody new is let in, and whoever listens is sent away within ${count(over)} s. This page is, too.`;
  ask("Drain this server?", text, "Drain", () => drain("radiod.admin.drain", { over }));
});
element("undrain").addEventListener("click", () => drain("radiod.admin.drain.cancel", {}));

/** Drain, or not any more; who may not is told so once. @param {string} procedure @param {Record<string, any>} kwargs */
async function drain(procedure, kwargs) {
  const why = await act(procedure, [], kwargs);
  if (why === "") return;
  element("drain").disabled = true;
  write("drain-why", shown(why, 200));
}

/**
 * Do something, tell why it could not be done, and look again.
 *
 * @param {string} procedure @param {any[]} args @param {Record<string, any>} kwargs
 * @returns {Promise<string>} why not; "": it is done
 */
async function act(procedure, args, kwargs) {
  problem("");
  try {
    await radio?.call(procedure, args, { kwargs, timeout: PATIENCE_MS });
  } catch (error) {
    const why = /** @type {Error} */ (error).message;
    problem(`${procedure}: ${why}`);
    return why;
  } finally {
    round();
  }
  return "";
}

/** @param {string} text */
function problem(text) {
  write("problem", shown(text, 400));
  element("problem").hidden = text === "";
}

// --- coming and going

onAir.name("admin");
const here = new URL(".", location.href);
element("unsafe").hidden = globalThis.isSecureContext;

/** @param {string} authid @param {string} ticket */
function login(authid, ticket) {
  const made = new Radio(new URL("ws", here).href, {
    realm,
    authid,
    ticket,
    onState: (state, why) => {
      // Of one that was left nothing matters any more.
      if (made !== radio) return;
      onAir.show(state, why);
      if (state === "open") welcome();
      else if (state === "closed") logout(why.reason);
    },
  });
  radio = made;
  element("state").hidden = false;
  write("where", ` · realm ${shown(realm)}`);
  made.connect().catch(() => {}); // Its state tells.
}

function welcome() {
  document.documentElement.dataset.view = "server";
  reveal(["views", "logout"], ["login"]);
  element("drain").disabled = false;
  write("drain-why", "");
  problem("");
  round();
}

/** Forget who it was. @param {string} [why] */
function logout(why = "") {
  clearTimeout(timer);
  const left = radio;
  radio = null;
  left?.close();
  log.forget();
  for (const table of [listeners, channels, sessions, keys]) table.show([]);
  page.after = page.next = null;
  document.documentElement.dataset.view = "login";
  reveal(["login"], ["views", "logout", "state"]);
  element("ask").close();
  write("where", "");
  problem(why);
  element(element("authid").value === "" ? "authid" : "ticket").focus();
}

element("login").addEventListener("submit", (/** @type {Event} */ event) => {
  event.preventDefault();
  problem("");
  const ticket = element("ticket").value;
  element("ticket").value = "";
  realm = element("realm").value.trim();
  login(element("authid").value.trim(), ticket);
});
element("logout").addEventListener("click", () => logout());
element("retry").addEventListener("click", () => radio?.retry());
element("first").addEventListener("click", () => turn(null));
element("next").addEventListener("click", () => turn(page.next));
element("find").addEventListener("input", () => turn(null));

/** Another page of sessions. @param {number | null} after */
function turn(after) {
  page.after = after;
  round();
}

document.addEventListener("visibilitychange", () => round());
