import { Radio } from "/static/radiod.js";

/** A Radio of whoever fills in the form. */
export function login(form, told) {
  return new Promise((resolve) => {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const who = { authid: form.elements.name.value, ticket: form.elements.ticket.value };
      const radio = new Radio(location.origin, { ...who, onState: (state) => (told.textContent = state) });
      try {
        await radio.connect();
        form.hidden = true;
        resolve(radio);
      } catch (error) {
        told.textContent = error.message;
        radio.close();
      }
    });
  });
}
