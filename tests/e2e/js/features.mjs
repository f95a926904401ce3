// Stock JavaScript clients that use the advanced profile and print what they saw as one JSON line.
//
//     node features.mjs autobahn|wampy json|msgpack|cbor PORT REALM
//
// A peer in Python must be there already (autobahn_features.py … serve): neither of these clients can be
// interrupted. What is expected of each feature stands in tests/support/features.py and test_features_js.py.

import { clients } from "./clients.mjs";

const [client, serializer, port, realm] = process.argv.slice(2);
const url = `ws://127.0.0.1:${port}/ws`;
const isAutobahn = client === "autobahn";
const SECONDS = 8;

const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

async function until(isSo) {
  const end = Date.now() + SECONDS * 500;
  while (!isSo()) {
    if (Date.now() > end) throw new Error("it did not happen");
    await sleep(0.005);
  }
}

const members = [];
async function join(options = {}, kind = client) {
  const member = await clients[kind].join(url, realm, serializer, options);
  members.push(member);
  return member;
}
async function joinAll(...authids) {
  const joined = [];
  for (const authid of authids) joined.push(await join({ authid: authid ?? undefined }));
  return joined;
}

const errorOf = (promise) =>
  promise.then(
    (value) => ["no error", value],
    (error) => error.uri ?? String(error),
  );
const value = async (promise) => (await promise).args[0] ?? null;
const argsOf = (events) => events.map(({ args }) => args[0]);
const same = (ids, others) => JSON.stringify(ids.map(Number)) === JSON.stringify(others);
const sorted = (ids) => ids.map(Number).sort((a, b) => a - b);
const never = () => new Promise(() => {});
const identity = (details, role) =>
  ["", "_authid", "_authrole"].map((end) => details[role + end] ?? null);

const scenarios = {
  // --- publish and subscribe

  async "prefix subscription"() {
    const [publisher, subscriber] = await joinAll(null, null);
    const events = await subscriber.listen("prefix.ab", { match: "prefix" });
    for (const topic of ["prefix.ab", "prefix.abc", "prefix.ab.c.d", "prefix.b", "prefix.ab.end"])
      await publisher.publish(topic);
    await until(() => events.length >= 4);
    return events.map(({ details }) => details.topic);
  },

  async "plain subscription"() {
    // wampy.js sends options that are not given as undefined, which JSON leaves out and the others can say.
    const [publisher, subscriber] = await joinAll(null, null);
    const events = [];
    if (isAutobahn) await subscriber.session.subscribe("plain", ([event]) => events.push(event));
    else await subscriber.wampy.subscribe("plain", ({ argsList: [event] }) => events.push(event));
    await publisher.publish("plain", ["event"]);
    await until(() => events.length);
    return events;
  },

  async "wildcard subscription"() {
    const [publisher, subscriber] = await joinAll(null, null);
    const events = await subscriber.listen("wild..end", { match: "wildcard" });
    for (const topic of ["wild.a.end", "wild.a.b.end", "wild.end", "wild.b.other", "wild.b.end"])
      await publisher.publish(topic);
    await until(() => events.length >= 2);
    return events.map(({ details }) => details.topic);
  },

  async "overlapping subscriptions"() {
    const [publisher, subscriber] = await joinAll(null, null);
    const subscriptions = [
      await subscriber.listen("over.lap.ped"),
      await subscriber.listen("over.lap", { match: "prefix" }),
      await subscriber.listen("over..ped", { match: "wildcard" }),
    ];
    await publisher.publish("over.lap.ped", [1]);
    await until(() => subscriptions.every((events) => events.length));
    return subscriptions.map((events) => [
      events.length,
      events[0].details.topic ?? "over.lap.ped",
      events[0].args[0] === 1,
    ]);
  },

  async "publisher identification"() {
    const [publisher, subscriber] = await joinAll("joe", null);
    const events = await subscriber.listen("identified");
    await publisher.publish("identified", [], { disclose_me: true });
    await publisher.publish("identified");
    await until(() => events.length >= 2);
    const [told, untold] = events.map(({ details }) => identity(details, "publisher"));
    return [[Number(told[0]) === publisher.id, ...told.slice(1)], untold];
  },

  async "refused disclosure"() {
    const [secretive] = await joinAll("sue");
    return [
      await errorOf(secretive.publish("identified", [], { disclose_me: true })),
      await errorOf(secretive.call("identified", [], {}, { disclose_me: true })),
    ];
  },

  async "black- and whitelisting"() {
    const [publisher, nobody, joe, rita] = await joinAll(null, null, "joe", "rita");
    const received = {
      nobody: await nobody.listen("lists"),
      joe: await joe.listen("lists"),
      rita: await rita.listen("lists"),
    };
    const options = [
      { exclude: [nobody.id] },
      { eligible: [nobody.id] },
      { exclude_authid: ["joe"] },
      { eligible_authid: ["joe"] },
      { exclude_authrole: ["rated"] },
      { eligible_authrole: ["rated"] },
      { eligible: [nobody.id, joe.id], exclude: [joe.id] },
      {},
    ];
    for (const [index, choice] of options.entries()) await publisher.publish("lists", [index + 1], choice);
    await until(() => Object.values(received).every((events) => argsOf(events).includes(8)));
    return Object.fromEntries(Object.entries(received).map(([name, events]) => [name, argsOf(events)]));
  },

  async "publisher exclusion"() {
    const [publisher] = await joinAll(null);
    const events = await publisher.listen("myself");
    await publisher.publish("myself", [0]);
    await publisher.publish("myself", [1], { exclude_me: true });
    await publisher.publish("myself", [2], { exclude_me: false });
    await until(() => events.length);
    return argsOf(events);
  },

  async acknowledgement() {
    const [publisher, subscriber] = await joinAll(null, null);
    const events = await subscriber.listen("acknowledged");
    const publication = await publisher.publish("acknowledged");
    await until(() => events.length);
    if (!isAutobahn) return Number.isSafeInteger(publication);
    return [
      events[0].details.publication === publication,
      (await publisher.publish("acknowledged", [], { acknowledge: false })) === null,
      await errorOf(publisher.publish("wamp.forbidden")),
    ];
  },

  async "event retention"() {
    // wampy.js takes the option and does not send it: somebody else has to publish.
    const publisher = await join({}, "autobahn");
    const [subscriber] = await joinAll(null);
    for (const topic of ["kept.a", "kept.b"]) {
      await publisher.publish(topic, [`old ${topic}`], { retain: true });
      await publisher.publish(topic, [topic], { retain: true });
    }
    const exact = await subscriber.listen("kept.a", { get_retained: true });
    const prefix = await subscriber.listen("kept", { match: "prefix", get_retained: true });
    const without = await subscriber.listen("kept..b", { match: "wildcard" });
    await until(() => exact.length && prefix.length >= 2);
    await publisher.publish("kept.a", ["live"]);
    await until(() => exact.length >= 2 && prefix.length >= 3);
    return [
      exact.map(({ args, details }) => [args[0], Boolean(details.retained)]),
      prefix.map(({ args, details }) => [args[0], details.topic, Boolean(details.retained)]).sort(),
      without.length,
    ];
  },

  async "event history"() {
    const [publisher, subscriber] = await joinAll(null, null);
    const subscription = await subscriber.listen("past");
    for (const number of [1, 2, 3, 4]) await publisher.publish("past", [number]);
    const unkept = await subscriber.listen("unkept");
    const get = async (options) => {
      const { args, kwargs } = await subscriber.call(
        "wamp.subscription.get_events",
        [subscription.id],
        options,
      );
      return [args.map((event) => [event.args, event.topic]), kwargs];
    };
    return [
      await get({}),
      await get({ limit: 2 }),
      await get({ reverse: true, limit: 1 }),
      await errorOf(subscriber.call("wamp.subscription.get_events", [unkept.id])),
    ];
  },

  async "subscription revocation"() {
    const [admin, subscriber] = await joinAll(null, null);
    const events = await subscriber.listen("revoked");
    await admin.publish("revoked", [1]);
    await admin.call("wamp.subscription.remove_subscriber", [events.id, subscriber.id, "test.reason"]);
    await admin.publish("revoked", [2]);
    const again = await subscriber.listen("revoked.again");
    await admin.publish("revoked.again", [3]);
    await until(() => again.length);
    return [argsOf(events), await value(admin.call("wamp.subscription.lookup", ["revoked"]))];
  },

  async "being told of revocations"() {
    const admin = await join();
    const member = await join({ authextra: { _radiod_revocation: true } });
    const subscription = await member.listen("told.of");
    const registration = await member.register("told.of", () => 0);
    const why = [member.id, "test.reason"];
    await admin.call("wamp.subscription.remove_subscriber", [subscription.id, ...why]);
    await admin.call("wamp.registration.remove_callee", [registration.id, ...why]);
    const reasons = [await subscription.revoked, await registration.revoked];
    return [...reasons, await value(member.call("wamp.subscription.match", ["told.of"]))];
  },

  // --- remote procedure calls

  async "pattern-based registration"() {
    const [caller, callee] = await joinAll(null, null);
    for (const [match, uri] of [
      ["wildcard", "call..b.c"],
      ["wildcard", "call.a..c"],
      ["prefix", "call.p"],
      ["prefix", "call.p.q"],
      ["exact", "call.p.q.r"],
      ["wildcard", "call.p..r"],
    ])
      await callee.register(uri, ({ details }) => [`${match} ${uri}`, details.procedure ?? uri], { match });
    const answers = [];
    for (const uri of ["call.p.q.r", "call.p.q.s", "call.p.x.r", "call.a.b.c", "call.x.b.c"])
      answers.push(await value(caller.call(uri)));
    return [...answers, await errorOf(caller.call("call.x.y.z"))];
  },

  async "shared registration"() {
    const [caller, ...callees] = await joinAll(null, null, null, null);
    const answers = {};
    for (const invoke of ["roundrobin", "first", "last", "random"]) {
      for (const [number, callee] of callees.entries())
        await callee.register(`shared.${invoke}`, () => number, { invoke });
      answers[invoke] = [];
      for (let i = 0; i < (invoke === "random" ? 60 : 6); i++)
        answers[invoke].push(await value(caller.call(`shared.${invoke}`)));
    }
    answers.random = [...new Set(answers.random)].sort();
    answers["other policy"] = await errorOf(caller.register("shared.first", () => 0, { invoke: "last" }));
    answers.single = await errorOf(caller.register("shared.first", () => 0));
    await callees[0].leave();
    answers["one left"] = [
      await value(caller.call("shared.first")),
      await value(caller.call("shared.roundrobin")),
    ];
    return answers;
  },

  async "taking over a registration"() {
    const [caller, first, second] = await joinAll(null, null, null);
    const options = { force_reregister: true };
    let finish;
    const gate = new Promise((resolve) => (finish = resolve));
    let isAsked = false;
    const answer = async ({ args: [isLate] }) => {
      isAsked = Boolean(isLate);
      return isLate ? `first${await gate}` : "first";
    };
    await first.register("taken", answer, options);
    const answers = [await value(caller.call("taken"))];
    const pending = value(caller.call("taken", [true]));
    await until(() => isAsked);
    await second.register("taken", () => "second", options);
    answers.push(await value(caller.call("taken")));
    finish(", late");
    answers.push(await pending);
    const registration = await value(caller.call("wamp.registration.lookup", ["taken"]));
    return [...answers, await value(caller.call("wamp.registration.count_callees", [registration]))];
  },

  async concurrency() {
    const [caller, callee] = await joinAll(null, null);
    let finish;
    const gate = new Promise((resolve) => (finish = resolve));
    await callee.register("busy", () => gate, { concurrency: 1 });
    const first = value(caller.call("busy"));
    const second = await errorOf(caller.call("busy"));
    finish("done");
    return [second, await first, await value(caller.call("busy"))];
  },

  async "caller identification"() {
    const [caller, callee] = await joinAll("joe", null);
    await callee.register("who", ({ details }) => identity(details, "caller"));
    const told = await value(caller.call("who", [], {}, { disclose_me: true }));
    return [[Number(told[0]) === caller.id, ...told.slice(1)], await value(caller.call("who"))];
  },

  async "trust levels"() {
    const [rated, unrated, other] = await joinAll("rita", "joe", null);
    const events = await other.listen("trusted");
    await other.register("trusted", ({ details }) => details.trustlevel ?? null);
    await rated.publish("trusted");
    await unrated.publish("trusted");
    await until(() => events.length >= 2);
    return [
      ...events.map(({ details }) => details.trustlevel ?? null),
      await value(rated.call("trusted")),
      await value(unrated.call("trusted")),
    ];
  },

  async "progressive call results"() {
    const [caller] = await joinAll(null);
    const progress = [];
    const on_progress = (args) => progress.push(args[0]);
    const result = await value(caller.call("helper.count", [3], {}, { on_progress }));
    return [progress, result, await value(caller.call("helper.count", [3]))];
  },

  async "progress of a callee that cannot be interrupted"() {
    // Callees in JavaScript are such ones; a caller in Python takes their progress as well.
    const [caller, other, callee] = await joinAll(null, null, null);
    let ended = 0;
    await callee.stream("streamed", async (count, progress) => {
      for (let i = 1; i <= count; i++) {
        progress?.(i);
        await sleep(0.002);
      }
      ended++;
      return progress ? "asked" : "not asked";
    });
    const progress = [];
    const result = value(caller.call("streamed", [3], {}, { on_progress: (args) => progress.push(args[0]) }));
    const seen = [await result, progress, await value(other.call("streamed", [3]))];
    seen.push(await value(other.call("helper.relay", ["streamed", 3])));
    // The caller leaves: nobody can tell the callee, and it goes on, unheard.
    await callee.register("ended", () => ended);
    let heard = 0;
    caller.call("streamed", [50], {}, { on_progress: () => heard++ }).catch(() => 0);
    await until(() => heard);
    await caller.drop();
    while ((await value(other.call("ended"))) < 4) await sleep(0.005);
    return [...seen, await value(other.call("helper.relay", ["streamed", 1]))];
  },

  async "call canceling"() {
    const [caller] = await joinAll(null);
    const outcomes = {};
    // With the others Autobahn|JS forgets its call, and breaks on the error that ends it.
    for (const mode of isAutobahn ? ["kill"] : ["skip", "kill", "killnowait"]) {
      const [started, interrupted] = await value(caller.call("helper.interrupted"));
      const { result, cancel } = caller.cancelable("helper.slow");
      const outcome = errorOf(result);
      while ((await value(caller.call("helper.interrupted")))[0] === started) await sleep(0.005);
      cancel(mode);
      outcomes[mode] = [await outcome];
      await sleep(0.05);
      outcomes[mode].push((await value(caller.call("helper.interrupted")))[1] - interrupted);
    }
    return outcomes;
  },

  async "canceling without the callee"() {
    // The callee cannot be interrupted: whatever the mode, the call ends and the callee is left alone.
    const [caller, callee] = await joinAll(null, null);
    let isCalled = false;
    await callee.register("unstoppable", () => {
      isCalled = true;
      return never();
    });
    const { result, cancel } = caller.cancelable("unstoppable");
    const outcome = errorOf(result);
    await until(() => isCalled);
    cancel("kill");
    await callee.register("quick", () => "still here");
    return [await outcome, await value(caller.call("quick"))];
  },

  async "canceled by leaving"() {
    const [caller, other] = await joinAll(null, null);
    const [started, interrupted] = await value(other.call("helper.interrupted"));
    caller.call("helper.slow").catch(() => 0);
    while ((await value(other.call("helper.interrupted")))[0] === started) await sleep(0.005);
    await caller.drop();
    let now = interrupted;
    for (let i = 0; i < 200 && now === interrupted; i++) {
      [, now] = await value(other.call("helper.interrupted"));
      await sleep(0.005);
    }
    return now - interrupted;
  },

  async "call timeout"() {
    const [caller] = await joinAll(null);
    const [, interrupted] = await value(caller.call("helper.interrupted"));
    const start = Date.now();
    const error = await errorOf(caller.call("helper.slow", [], {}, { timeout: 200 }));
    const took = Date.now() - start;
    await sleep(0.05);
    const [, now] = await value(caller.call("helper.interrupted"));
    return [error, 150 < took && took < 2000, now - interrupted];
  },

  async "callee leaves"() {
    const [caller, callee] = await joinAll(null, null);
    let isCalled = false;
    await callee.register("slow", () => {
      isCalled = true;
      return never();
    });
    const pending = errorOf(caller.call("slow"));
    await until(() => isCalled);
    await callee.leave();
    return [await pending, await errorOf(caller.call("slow"))];
  },

  async "registration revocation"() {
    const [admin, callee] = await joinAll(null, null);
    const registration = await callee.register("revoked", () => "answer");
    const before = await value(admin.call("revoked"));
    await admin.call("wamp.registration.remove_callee", [registration.id, callee.id, "test.reason"]);
    const after = await errorOf(admin.call("revoked"));
    await callee.register("revoked.again", () => "again");
    return [before, after, await value(admin.call("revoked.again"))];
  },

  async "progressive call invocations"() {
    // wampy.js can do this as caller and as callee, but announces it as neither.
    const caller = await join({ announce: { caller: { progressive_call_invocations: true } } });
    const features = { progressive_call_invocations: true, progressive_call_results: true, call_canceling: true };
    const callee = await join({ announce: { callee: features } });
    const chunks = [];
    await callee.register("sum", ({ args, details }) => {
      chunks.push([args[0], Boolean(details.progress)]);
      const sum = chunks.reduce((total, [number]) => total + number, 0);
      return { argsList: [sum], options: details.progress ? { progress: true } : {} };
    });
    const progress = [];
    const progress_callback = ({ argsList }) => progress.push(argsList[0]);
    const { result, sendData } = caller.wampy.progressiveCall("sum", [1], { progress_callback });
    sendData([2]);
    sendData([3], { progress: false });
    const { argsList } = await result;
    return [chunks, progress, argsList[0], await value(caller.call("wamp.registration.match", ["unheard"]))];
  },

  async "progressive call as documented"() {
    // What wampy.js documents and does not announce, as caller and as callee.
    const [caller, callee] = await joinAll(null, null);
    let sum = 0;
    await callee.wampy.register("sum.numbers", ({ argsList: [number], details }) => {
      sum += number;
      return { argsList: [sum], options: details.progress ? { progress: true } : {} };
    });
    const { result, sendData } = caller.wampy.progressiveCall("sum.numbers", 1);
    for (const number of [2, 3, 4]) sendData(number);
    sendData(5, { progress: false });
    return (await result).argsList;
  },

  async "payload passthru mode"() {
    const [publisher, subscriber] = await joinAll(null, null);
    const seen = [];
    for (const ppt_serializer of ["json", "cbor", "native"]) {
      // A serialized payload is bytes, which wampy.js puts into JSON as if they were something else.
      if (serializer === "json" && ppt_serializer === "cbor") continue;
      const options = { ppt_scheme: "x_test", ppt_serializer, ppt_keyid: "key-1" };
      const topic = `opaque.${ppt_serializer}`;
      const events = await subscriber.listen(topic);
      await publisher.publish(topic, [1, "two"], { ...options, kwargs: { key: [3] } });
      await until(() => events.length);
      let invoked;
      await subscriber.register(topic, ({ args, details }) => {
        invoked = details;
        return { options, argsList: [args[0] + args[1]] };
      });
      const sum = await value(publisher.call(topic, [2, 3], {}, options));
      const [{ args, kwargs, details }] = events;
      for (const told of [details, invoked])
        if (!Object.entries(options).every(([name, text]) => told[name] === text)) return told;
      seen.push([args, kwargs, sum]);
    }
    return [seen[0], seen.every((each) => JSON.stringify(each) === JSON.stringify(seen[0]))];
  },

  // --- the meta API

  async "session meta API"() {
    const [admin] = await joinAll(null);
    const joins = await admin.listen("wamp.session.on_join");
    const leaves = await admin.listen("wamp.session.on_leave");
    const base = (await value(admin.call("wamp.session.list"))).map(Number).filter((id) => id !== admin.id);
    const [joe, rita, other] = await joinAll("joe", "rita", null);
    const seen = {
      count: [
        (await value(admin.call("wamp.session.count"))) - base.length,
        await value(admin.call("wamp.session.count", [["rated", "nobody"]])),
      ],
      list: same(
        sorted(await value(admin.call("wamp.session.list"))),
        sorted([admin.id, joe.id, rita.id, other.id, ...base]),
      ),
      "list by role": same(await value(admin.call("wamp.session.list", [["rated"]])), [rita.id]),
    };
    const details = await value(admin.call("wamp.session.get", [joe.id]));
    seen.get = [Number(details.session) === joe.id, details.authid, details.authrole, details.authmethod];
    await until(() => joins.length >= 3);
    const named = joins.filter(({ args: [joined] }) => ["joe", "rita"].includes(joined.authid));
    seen.on_join = named.map(({ args: [joined] }) => [joined.authid, joined.authrole]).sort();
    await other.leave();
    await until(() => leaves.length);
    const [session, , role] = leaves[0].args;
    seen.on_leave = [Number(session) === other.id, role];
    seen.unknown = await errorOf(admin.call("wamp.session.get", [other.id]));
    return seen;
  },

  async "subscription meta API"() {
    const [admin, one, two] = await joinAll(null, null, null);
    const names = { [one.id]: "one", [two.id]: "two" };
    const logs = {};
    for (const name of ["on_create", "on_subscribe", "on_unsubscribe", "on_delete"])
      logs[name] = await admin.listen(`wamp.subscription.${name}`);
    const subscription = await one.listen("meta.topic");
    await two.listen("meta.topic");
    const by_prefix = await two.listen("meta", { match: "prefix" });
    const ask = (name, ...args) => value(admin.call(`wamp.subscription.${name}`, args));
    const found = await ask("get", subscription.id);
    const listed = await ask("list");
    const seen = {
      get: [Number(found.id) === subscription.id, found.uri, found.match, found.created.includes("T")],
      list: [
        listed.exact.map(Number).includes(subscription.id),
        same(listed.prefix, [by_prefix.id]),
        listed.wildcard,
      ],
      lookup: [
        Number(await ask("lookup", "meta.topic")) === subscription.id,
        Number(await ask("lookup", "meta", { match: "prefix" })) === by_prefix.id,
        await ask("lookup", "meta.topic", { match: "wildcard" }),
      ],
      match: [
        same(await ask("match", "meta.topic"), [subscription.id, by_prefix.id]),
        await ask("match", "unheard"),
      ],
      subscribers: same(sorted(await ask("list_subscribers", subscription.id)), sorted([one.id, two.id])),
      count: await ask("count_subscribers", subscription.id),
    };
    await subscription.end();
    await until(() => logs.on_unsubscribe.some(({ args: [id] }) => Number(id) === one.id));
    await two.leave();
    seen.events = await logged(logs, names);
    seen.unknown = await errorOf(ask("get", subscription.id));
    return seen;
  },

  async "registration meta API"() {
    const [admin, one, two] = await joinAll(null, null, null);
    const names = { [one.id]: "one", [two.id]: "two" };
    const logs = {};
    for (const name of ["on_create", "on_register", "on_unregister", "on_delete"])
      logs[name] = await admin.listen(`wamp.registration.${name}`);
    const registration = await one.register("meta.procedure", () => 0, { invoke: "roundrobin" });
    await two.register("meta.procedure", () => 0, { invoke: "roundrobin" });
    const by_prefix = await two.register("meta", () => 0, { match: "prefix" });
    const ask = (name, ...args) => value(admin.call(`wamp.registration.${name}`, args));
    const found = await ask("get", registration.id);
    const listed = await ask("list");
    const seen = {
      get: [
        Number(found.id) === registration.id,
        found.uri,
        found.match,
        found.invoke,
        found.created.includes("T"),
      ],
      list: [
        listed.exact.map(Number).includes(registration.id),
        same(listed.prefix, [by_prefix.id]),
        listed.wildcard,
      ],
      lookup: [
        Number(await ask("lookup", "meta.procedure")) === registration.id,
        Number(await ask("lookup", "meta", { match: "prefix" })) === by_prefix.id,
        await ask("lookup", "meta.procedure", { match: "wildcard" }),
      ],
      match: [
        Number(await ask("match", "meta.procedure")) === registration.id,
        Number(await ask("match", "meta.other")) === by_prefix.id,
        await ask("match", "unheard"),
      ],
      callees: same(await ask("list_callees", registration.id), [one.id, two.id]),
      count: await ask("count_callees", registration.id),
    };
    await registration.end();
    await until(() => logs.on_unregister.some(({ args: [id] }) => Number(id) === one.id));
    await two.leave();
    seen.events = await logged(logs, names);
    seen.unknown = await errorOf(ask("get", registration.id));
    return seen;
  },

  async testaments() {
    const [survivor, left, lost, flushed] = await joinAll(null, null, null, null);
    const events = await survivor.listen("testament");
    const add = "wamp.session.add_testament";
    await left.call(add, ["testament", ["destroyed"], { who: "left" }]);
    await left.call(add, ["testament", ["detached"], { who: "left" }], { scope: "detached" });
    await lost.call(add, ["testament", ["lost"], {}]);
    await flushed.call(add, ["testament", ["flushed"], {}]);
    await flushed.call("wamp.session.flush_testaments");
    await flushed.leave();
    await left.leave();
    await until(() => events.length >= 2);
    await lost.drop();
    await until(() => events.length >= 3);
    return [
      events.map(({ args, kwargs }) => [args, kwargs]),
      await errorOf(survivor.call(add, ["wamp.forbidden", [], {}])),
    ];
  },

  async "options of testaments"() {
    const [survivor, left] = await joinAll(null, null);
    const events = await survivor.listen("testament", { get_retained: true });
    const options = [{ exclude: [survivor.id] }, { eligible: [survivor.id] }, { retain: true }];
    for (const [number, publish_options] of options.entries())
      await left.call("wamp.session.add_testament", ["testament", [number], {}], { publish_options });
    await left.leave();
    await until(() => events.length >= 2);
    const late = await survivor.listen("testament", { match: "prefix", get_retained: true });
    await until(() => late.length);
    return [argsOf(events), argsOf(late)];
  },

  async "killing sessions"() {
    // kill_all ends the Python callee as well: this one comes last.
    const [admin, one, joe, joeAgain, rita, other] = await joinAll(null, null, "joe", "joe", "rita", null);
    const why = { reason: "test.reason", message: "because" };
    const seen = {
      "invalid reason": await errorOf(admin.call("wamp.session.kill", [one.id], { reason: "not..valid" })),
      kill: await value(admin.call("wamp.session.kill", [one.id], why)),
      reason: await one.closed,
    };
    const killed = await value(admin.call("wamp.session.kill_by_authid", ["joe"]));
    seen.kill_by_authid = same(sorted(killed), sorted([joe.id, joeAgain.id]));
    seen.kill_by_authrole = await value(admin.call("wamp.session.kill_by_authrole", ["rated"]));
    seen.kill_all = (await value(admin.call("wamp.session.kill_all", ["test.everybody"]))) - 1;
    seen.reasons = [];
    for (const member of [joe, rita, other]) seen.reasons.push((await member.closed)[0]);
    seen.oneself = await errorOf(admin.call("wamp.session.kill", [admin.id]));
    return seen;
  },
};

async function logged(logs, names) {
  const count = () => Object.values(logs).reduce((total, events) => total + events.length, 0);
  await until(() => count() >= 10);
  return Object.entries(logs)
    .flatMap(([name, events]) => events.map(({ args }) => [name, names[args[0]]]))
    .sort();
}

// What the client has no way to ask for, or to tell.
const CANNOT = {
  autobahn: [
    "trust levels",
    "payload passthru mode",
    "progressive call invocations",
    "progressive call as documented",
  ],
  wampy: ["publisher exclusion", "taking over a registration", "concurrency", "being told of revocations"],
};

process.on("unhandledRejection", () => {});
const seen = {};
for (const [name, scenario] of Object.entries(scenarios)) {
  if (CANNOT[client].includes(name)) continue;
  const late = sleep(SECONDS).then(() => ["failed", "took too long"]);
  const start = Date.now();
  seen[name] = await Promise.race([scenario().catch((e) => ["failed", e.uri ?? String(e.stack ?? e)]), late]);
  if (Date.now() - start > 1000) console.error(`${name}: ${Date.now() - start} ms`);
  for (const member of members.splice(0))
    await Promise.race([Promise.resolve().then(() => member.leave()).catch(() => 0), sleep(1)]);
}
console.log(JSON.stringify(seen, (_, item) => (typeof item === "bigint" ? Number(item) : item)));
process.exit(0);
