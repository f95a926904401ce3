import { Radio } from "/static/radiod.js";

const users = new Map(); // name → how many tabs

function show() {
  document.querySelector("#count").value = users.size;
  const items = [...users.keys()].sort().map((name) => {
    const item = document.createElement("li");
    item.textContent = name;
    return item;
  });
  document.querySelector("#names").replaceChildren(...items);
}

function heard({ data }) {
  if (data.users !== undefined && data.event === undefined) {
    // The list, as it is when we come, and when we come back.
    users.clear();
    for (const [name, tabs] of Object.entries(data.users)) users.set(name, tabs);
  } else if (data.sessions) users.set(data.authid, data.sessions);
  else users.delete(data.authid);
  show();
}

document.querySelector("#login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const told = document.querySelector("#state");
  const login = { authid: form.elements.name.value, ticket: form.elements.ticket.value };
  const radio = new Radio(location.origin, { ...login, onState: (state) => (told.textContent = state) });
  try {
    await radio.connect();
    await radio.channel("radiod.presence.users").subscribe(heard, { retained: true });
    // Whoever listens to this channel is a user who is here.
    await radio.channel("users").subscribe(() => {});
    form.hidden = true;
    document.querySelector("#error").textContent = "";
  } catch (error) {
    document.querySelector("#error").textContent = error.message;
    radio.close();
  }
});
