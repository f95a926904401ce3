import { login } from "./login.js";
import { people } from "./people.js";

const radio = await login();
const documents = await (await fetch("documents.json")).json();
for (const slug of documents) {
  const row = document.querySelector("tbody").insertRow();
  row.id = slug;
  const link = document.createElement("a");
  link.href = `document.html?${slug}`;
  link.textContent = slug;
  row.insertCell().append(link);
  for (const phase of ["read", "update"]) {
    const cell = row.insertCell();
    cell.className = phase;
    await people(radio, `doc.${slug}.${phase}`, (names) => (cell.textContent = names.join(", ")));
  }
}
document.body.dataset.ready = "yes";
