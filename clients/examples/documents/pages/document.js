import { login } from "./login.js";
import { people } from "./people.js";

const slug = location.search.slice(1);
document.querySelector("h1").textContent = slug;
const radio = await login();
for (const phase of ["read", "update"]) {
  const output = document.querySelector(`#${phase}`);
  await people(radio, `doc.${slug}.${phase}`, (names) => (output.value = names.join(", ")));
}

// Whoever listens to a phase of a document is in it.
const enter = (phase) => radio.channel(`doc.${slug}.${phase}`).subscribe(() => {});
const edit = document.querySelector("#edit");
let here = await enter("read");
edit.disabled = false;
edit.addEventListener("click", async () => {
  const isEditing = edit.getAttribute("aria-pressed") === "true";
  edit.disabled = true;
  const left = here;
  here = await enter(isEditing ? "read" : "update");
  await left.close();
  edit.setAttribute("aria-pressed", String(!isEditing));
  edit.disabled = false;
});
