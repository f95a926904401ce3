// What a user of the JavaScript client writes in TypeScript: `tsc --strict` has nothing to say about it.
import { CallError, Gap, Listening, Radio, Sample, type GapReason, type State } from "radiod";
import { msgpack } from "radiod/msgpack";

const radio = new Radio("ws://host", { authid: "joe", ticket: "t", serializer: msgpack, onState: (state: State, why) => console.log(state, why.retryAt) });

export async function use(): Promise<number> {
  await radio.connect({ signal: AbortSignal.timeout(1000) });
  for await (const sample of radio.channel("x").listen({ last: 3, policy: "ring", min_interval: 0.5 })) {
    const gap: Gap | null = sample.gap;
    const reason: GapReason | undefined = gap?.reason;
    const position: string | null = sample.position;
    console.log(reason, position, sample.data.anything);
  }
  const listening: Listening = await radio.channel("x", { key: "k" }).subscribe((sample: Sample) => console.log(sample.stream?.id));
  const publication: number | null = await radio.channel("x").publish({ a: [1] }, { acknowledge: false });
  const created = await radio.create("mine", { lifetime: 60, on_owner_leave: "keep" });
  const key: string = created.controlKey;
  try {
    await radio.call("f", [1], { kwargs: { b: 2 }, timeout: 500, onProgress: (value) => console.log(value) });
  } catch (error) {
    if (error instanceof CallError) console.log(error.uri.length);
  }
  await radio.proxy("calc").add(1, 2);
  await (await radio.serve({ rpc_add: (a: number, b: number) => a + b }, "calc", { traceback: true })).close();
  radio.addEventListener("error", (event) => event.preventDefault());
  await radio.close();
  return listening.lost + (publication ?? 0) + key.length;
}

// @ts-expect-error a policy that there is not
radio.channel("x").listen({ policy: "none" });
// @ts-expect-error an option that there is not
radio.channel("x").publish(1, { acknowledged: true });
// @ts-expect-error what is inside is not for users
radio._line;
