/** The live page: wires the client, the list of channels and the station together. */

import { ChannelList } from "./channels.js";
import { Controls } from "./controls.js";
import { OnAir, keepChecking } from "./onair.js";
import { element, onTheme, reveal, write } from "./page.js";
import { Radio, RadioError } from "./radiod.js";
import { copies, snippets, tabbed } from "./snippets.js";
import { Station } from "./station.js";
import { Scout, Tuner, past } from "./tuner.js";

/** How long, at the start, channels may take to show that they have a map before the first is taken as it is. */
const SCOUT_MS = 400;

/** Whether we are a part of somebody else's page: then the map is all there is. */
const isEmbedded = new URLSearchParams(location.search).has("embed");
document.documentElement.dataset.embed = String(isEmbedded);

const station = new Station({
  past: (channel, position, most) => past(radio, channel, position, most),
  pinned: (street, streets) => controls.pin(street, streets),
  shut: (how) => controls.shut(how),
  isEmbedded,
});
const onAir = new OnAir();
/** Where the server is, which may be below a path of a proxy's. */
const here = new URL(".", location.href);
const radio = new Radio(new URL("ws", here).href, {
  onState: (state, why) => {
    onAir.show(state, why);
    if (state === "open") {
      channels.start();
      introduce();
    } else {
      channels.stop();
    }
  },
});
// A refusal was shown where it matters; anything else is a mistake of ours.
radio.addEventListener("error", (/** @type {any} */ event) => event.error instanceof RadioError && event.preventDefault());
const tuner = new Tuner(radio, {
  map: (map) => station.showMap(map),
  data: (data, position) => station.showData(data, position),
  refused: (error) => station.refuse(`Cannot listen here: ${error.message}`),
});
const controls = new Controls(radio);
const scout = new Scout(radio, (channel) => {
  scouting = false;
  tune(channel);
});
const channels = new ChannelList(
  { list: element("channels"), empty: element("no-channels") },
  { chosen: (name) => (location.hash = encodeURIComponent(name)), listed },
);

let tuned = "";
/** Whether the page still looks for the channel to show by itself. */
let scouting = true;

/** @param {string} channel */
function tune(channel) {
  if (channel === tuned) return;
  tuned = channel;
  station.open(channel);
  onAir.name(channel);
  channels.select(channel);
  tuner.tune(channel);
  if (!isEmbedded) controls.tune(channel);
  const programs = snippets(here, channel);
  for (const [way, program] of Object.entries(programs)) write(`snippet-${way}`, program);
  element("whole-page").href = `./#${encodeURIComponent(channel)}`;
  reveal(["listen"], []);
}

/** The channel the address asks for; "": none. */
function wanted() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return location.hash.slice(1);
  }
}

/** Nobody chose: take the first channel with a map, and until one shows, the first. @param {string[]} names */
function listed(names) {
  if (!scouting || wanted() !== "") return;
  if (names.length === 0 && tuned === "") {
    write("channel", "Nothing on the air yet");
    write("waiting-text", "As soon as there is a public channel, it can be heard here.");
  }
  scout.watch(names);
  setTimeout(() => {
    if (tuned === "" && wanted() === "" && names.length > 0) tune(names[0]);
  }, SCOUT_MS);
}

function follow() {
  const channel = wanted();
  if (channel === "") return;
  scouting = false;
  scout.stop();
  tune(channel);
}

async function introduce() {
  try {
    const { version, node } = await radio.call("radiod.server.info");
    const where = typeof node === "string" ? ` · node ${node}` : "";
    if (typeof version === "string") write("version", ` · ${version}${where}`);
  } catch {
    // An older server, or one that lets nobody call: the page does without.
  }
}

/** @param {string} selector @returns {any[]} */
const all = (selector) => [...document.querySelectorAll(selector)];

tabbed(all("[role=tab]"));
for (const button of all("[data-copies]")) copies(button, element(button.dataset.copies));
element("skip").addEventListener("click", () => element("stage").focus());
element("retry").addEventListener("click", () => radio.retry());
addEventListener("hashchange", follow);
onTheme(() => station.dress());
station.dress();
keepChecking(radio, (milliseconds) => onAir.answered(milliseconds));
follow();
radio.connect({ retry: true }).catch((error) => onAir.show("waiting", { reason: error.message }));
