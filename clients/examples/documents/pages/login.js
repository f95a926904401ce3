import { Radio } from "/static/radiod.js";

const form = document.querySelector("#login");
const told = document.querySelector("#state");
const failed = document.querySelector("#error");

/** A Radio of whoever fills in the form. */
export function login() {
  return new Promise((resolve) => {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const who = { authid: form.elements.name.value, ticket: form.elements.ticket.value };
      const radio = new Radio(location.origin, { ...who, onState: (state) => (told.textContent = state) });
      try {
        await radio.connect();
        form.hidden = true;
        failed.textContent = "";
        resolve(radio);
      } catch (error) {
        failed.textContent = error.message;
        radio.close();
      }
    });
  });
}
