import { Radio } from "/static/radiod.js";

const state = document.querySelector("#state");
const radio = new Radio(location.origin, { onState: (told) => (state.textContent = told) });

function list(id, text) {
  const item = document.createElement("li");
  item.textContent = text;
  document.getElementById(id).prepend(item);
}

function notify({ title, text, link }) {
  const note = new Notification(title, { body: text, icon: "alarm.svg", tag: link });
  note.addEventListener("click", () => {
    note.close();
    window.focus();
    // Only to pages of this site: whoever publishes an alarm does not send people elsewhere.
    const target = new URL(link, location.href);
    if (target.origin === location.origin) location.assign(target);
  });
}

const allow = document.querySelector("#allow");
allow.hidden = Notification.permission !== "default";
allow.addEventListener("click", async () => {
  allow.hidden = (await Notification.requestPermission()) !== "default";
});

await radio.connect({ retry: true });
// Two streams on one socket.
await radio.demultiplex({
  news: ({ data }) => list("news", data.text),
  alarms: ({ data }) => {
    list("alarms", data.text);
    if (Notification.permission === "granted") notify(data);
  },
});
document.body.dataset.ready = "yes";
