/** How to listen from elsewhere: short programs with this server's address and the channel filled in. */

/** A channel's name as one segment of a path, safe inside quotes of a shell too. @param {string} channel */
function segment(channel) {
  return encodeURIComponent(channel).replace(/['()*!~]/g, (one) => `%${one.charCodeAt(0).toString(16)}`);
}

/**
 * @param {URL} place where the server is; its path ends with a slash
 * @param {string} channel
 * @returns {Record<"curl" | "browser" | "python" | "page", string>}
 */
export function snippets(place, channel) {
  const path = `${place.host}${place.pathname}listen/${segment(channel)}`;
  const http = place.protocol === "https:" ? "https" : "http";
  const ws = place.protocol === "https:" ? "wss" : "ws";
  return {
    curl: `curl -N -H 'Accept: text/event-stream' ${http}://${path}`,
    browser: `const url = "${ws}://${path}";
const radio = new WebSocket(url);
radio.onmessage = ({ data }) =>
  console.log(JSON.parse(data));`,
    python: `import json
from urllib.request import Request, urlopen

url = "${http}://${path}"
sse = {"Accept": "text/event-stream"}
radio = urlopen(Request(url, headers=sse))
for line in radio:
    if line.startswith(b"data:"):
        print(json.loads(line[5:]))`,
    page: `<iframe title="${channel.replace(/[&<>"]/g, (one) => `&#${one.charCodeAt(0)};`)}" width="100%" height="480"
  src="${http}://${place.host}${place.pathname}?embed#${segment(channel)}"></iframe>`,
  };
}

/**
 * Let a button copy an element's text, and say so for a moment.
 *
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} source
 */
export function copies(button, source) {
  const label = button.textContent;
  button.addEventListener("click", async () => {
    button.textContent = (await copied(source)) ? "Copied" : "Press Ctrl+C";
    setTimeout(() => (button.textContent = label), 1500);
  });
}

/** @param {HTMLElement} source @returns {Promise<boolean>} false: it is selected, but not copied */
async function copied(source) {
  try {
    await navigator.clipboard.writeText(source.textContent ?? "");
    return true;
  } catch {
    // Pages that come by plain HTTP from another machine have no clipboard: the old way.
    getSelection()?.selectAllChildren(source);
    return document.execCommand("copy");
  }
}

/**
 * Tabs: one panel of several is seen. Arrow keys move between them, as the ARIA practices want.
 *
 * @param {HTMLElement[]} tabs each names its panel in `aria-controls`
 */
export function tabbed(tabs) {
  const show = (/** @type {HTMLElement} */ chosen) => {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      const panel = document.getElementById(tab.getAttribute("aria-controls") ?? "");
      if (panel) panel.hidden = tab !== chosen;
    }
  };
  for (const [at, tab] of tabs.entries()) {
    tab.addEventListener("click", () => show(tab));
    tab.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (by === undefined) return;
      const next = tabs[(at + by + tabs.length) % tabs.length];
      show(next);
      next.focus();
    });
  }
}
