import { connect, count } from "./people.js";

const radio = await connect();
const rows = document.querySelector("#documents");

async function follow(row) {
  const cell = row.querySelector(".open");
  row.following = await count(radio, `doc.${row.dataset.slug}`, (total) => (cell.textContent = total || ""));
}

function changed({ data: { action, slug, title } }) {
  let row = rows.querySelector(`[data-slug="${CSS.escape(slug)}"]`);
  if (action === "delete") {
    row?.following?.close();
    row?.remove();
    return;
  }
  if (!row) {
    row = rows.insertRow();
    row.dataset.slug = slug;
    row.insertCell().append(Object.assign(document.createElement("a"), { href: `${slug}/` }));
    row.insertCell().className = "open";
    follow(row);
  }
  row.querySelector("a").textContent = title;
}

await radio.channel("documents").subscribe(changed);
await Promise.all([...rows.rows].map(follow));
document.body.dataset.ready = "yes";
