import { Radio } from "/static/radiod.js";

// ?ann: with Ann's ticket, who may write. A page of yours asks for it.
const name = location.search.slice(1);
const login = name ? { authid: name, ticket: `${name}-ticket` } : {};
const state = document.querySelector("#state");
const radio = new Radio(location.origin, { ...login, onState: (told) => (state.textContent = told) });
const notes = radio.proxy("notes");
const rows = new Map();

async function attempt(action) {
  const error = document.querySelector("#error");
  error.textContent = "";
  try {
    await action();
  } catch (failure) {
    error.textContent = failure.message;
  }
}

function row({ id, title }) {
  const item = document.createElement("li");
  const text = document.createElement("input");
  text.value = title;
  text.setAttribute("aria-label", "Title");
  text.addEventListener("change", () => attempt(() => notes.update(id, text.value)));
  const remove = document.createElement("button");
  remove.textContent = "Delete";
  remove.addEventListener("click", () => attempt(() => notes.delete(id)));
  item.append(text, remove);
  return item;
}

function changed({ data: { action, pk, data } }) {
  const old = rows.get(pk);
  if (action === "delete" || data === null) {
    old?.remove();
    rows.delete(pk);
    return;
  }
  if (old) {
    old.querySelector("input").value = data.title;
    return;
  }
  const item = row(data);
  rows.set(pk, item);
  document.querySelector("#notes").append(item);
}

document.querySelector("#add").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  attempt(async () => {
    await notes.create(form.elements.title.value);
    form.reset();
  });
});

const newer = new Set();

// The whole table. Of what changes meanwhile, the change is the newer.
async function all() {
  newer.clear();
  const list = await notes.list();
  const gone = new Set(rows.keys());
  for (const data of list) {
    gone.delete(data.id);
    if (!newer.has(data.id)) changed({ data: { action: "create", pk: data.id, data } });
  }
  for (const pk of gone) if (!newer.has(pk)) changed({ data: { action: "delete", pk } });
}

await radio.connect({ retry: true });
await radio.channel("binding.notes").subscribe(async (sample) => {
  // Something was missed: the server was killed, say.
  if (sample.gap) await attempt(all);
  newer.add(sample.data.pk);
  changed(sample);
});
await all();
document.body.dataset.ready = "yes";
