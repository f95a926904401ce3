/** Who listens to a channel, kept up to date: `changed` is called with the names. */
export function people(radio, channel, changed) {
  const names = new Set();
  const heard = ({ data }) => {
    if (data.event === undefined) {
      // The list, when we come and when we come back.
      names.clear();
      for (const name of Object.keys(data.users)) names.add(name);
    } else if (data.sessions) names.add(data.authid);
    else names.delete(data.authid);
    changed([...names].sort());
  };
  return radio.channel(`radiod.presence.${channel}`).subscribe(heard, { retained: true });
}
