// The radio's own client, from the radio.
const address = document.querySelector("script[data-radio]").dataset.radio;
const { Radio } = await import(`${address}/static/radiod.js`);

export async function connect() {
  const state = document.querySelector("#state");
  return new Radio(address, { onState: (told) => (state.textContent = told) }).connect({ retry: true });
}

/** How many listen to a channel, kept up to date. */
export function count(radio, channel, changed) {
  return radio
    .channel(`radiod.presence.${channel}`)
    .subscribe(({ data }) => changed(data.total), { retained: true });
}
