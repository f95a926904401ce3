import { connect, count } from "./people.js";

const { slug } = document.querySelector("script[data-slug]").dataset;
const radio = await connect();
await count(radio, `doc.${slug}`, (total) => (document.querySelector("#open").value = total));
await radio.channel(`doc.${slug}`).subscribe(() => {});
await radio.channel("documents").subscribe(({ data }) => {
  if (data.slug === slug && data.action === "update") document.querySelector("h1").textContent = data.title;
});
document.body.dataset.ready = "yes";
