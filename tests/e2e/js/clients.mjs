// Two stock clients behind one set of names, so that features.mjs asks the same of both.
//
// A member: id; closed (a promise of [reason, message]); listen, publish, register, stream, call, cancelable, leave, drop.
// Events and calls are { args, kwargs, details }; errors have a uri.

import { createRequire } from "node:module";
import { Wampy } from "wampy";
import { CborSerializer } from "wampy/CborSerializer.js";
import { JsonSerializer } from "wampy/JsonSerializer.js";
import { MsgpackSerializer } from "wampy/MsgpackSerializer.js";

const require = createRequire(import.meta.url);
const autobahn = require("autobahn");
const { w3cwebsocket } = require("websocket");

const quiet = () => {};
const failure = (uri, args) => Object.assign(new Error(uri), { uri, args });
const ticketOf = (authid) => `${authid}-ticket`;

class AutobahnMember {
  static async join(url, realm, serializer, { authid, authextra } = {}) {
    const serializers = {
      json: autobahn.serializer.JSONSerializer,
      msgpack: autobahn.serializer.MsgpackSerializer,
      cbor: autobahn.serializer.CBORSerializer,
    };
    const connection = new autobahn.Connection({
      url,
      realm,
      serializers: [new serializers[serializer]()],
      max_retries: 0,
      on_user_error: quiet,
      on_internal_error: quiet,
      authextra,
      ...(authid && { authmethods: ["ticket"], authid, onchallenge: () => ticketOf(authid) }),
    });
    const member = new AutobahnMember();
    member.closed = new Promise((resolve) => {
      connection.onclose = (reason, details) => {
        resolve([details.reason ?? reason, details.message ?? null]);
        return true;
      };
    });
    member.connection = connection;
    member.session = await new Promise((resolve, reject) => {
      connection.onopen = resolve;
      member.closed.then(reject);
      connection.open();
    });
    member.id = member.session.id;
    return member;
  }

  async _settled(promise) {
    try {
      return await promise;
    } catch (error) {
      throw error && error.error ? failure(error.error, error.args) : error;
    }
  }

  async listen(topic, options = {}) {
    const events = [];
    const subscription = await this._settled(
      this.session.subscribe(topic, (args, kwargs, details) => events.push({ args, kwargs, details }), options),
    );
    return Object.assign(events, {
      id: subscription.id,
      revoked: subscription.on_unsubscribe,
      end: () => this.session.unsubscribe(subscription),
    });
  }

  async publish(topic, args = [], options = {}) {
    const sent = this.session.publish(topic, args, {}, { acknowledge: true, ...options });
    return sent ? (await this._settled(sent)).id : null;
  }

  async register(procedure, answer, options = {}) {
    const endpoint = async (args, kwargs, details) => answer({ args, kwargs, details });
    const registration = await this._settled(this.session.register(procedure, endpoint, options));
    return {
      id: registration.id,
      revoked: registration.on_unregister,
      end: () => this.session.unregister(registration),
    };
  }

  // work(count, progress): progress is for those who asked for it.
  stream(procedure, work) {
    return this.session.register(procedure, ([count], kwargs, { progress }) =>
      work(count, progress && ((item) => progress([item]))),
    );
  }

  call(procedure, args = [], kwargs = {}, { on_progress, ...options } = {}) {
    return this.cancelable(procedure, args, kwargs, { on_progress, ...options }).result;
  }

  cancelable(procedure, args = [], kwargs = {}, { on_progress, ...options } = {}) {
    if (on_progress) options.receive_progress = true;
    const pending = this.session.call(procedure, args, kwargs, options);
    const unpack = (value) =>
      value instanceof autobahn.Result
        ? { args: value.args, kwargs: value.kwargs }
        : { args: value === null || value === undefined ? [] : [value], kwargs: {} };
    const result = this._settled(pending.then(unpack, undefined, on_progress && ((value) => on_progress([value]))));
    return { result, cancel: (mode) => pending.cancel({ mode }) };
  }

  async leave() {
    if (this.session.isOpen) this.connection.close();
    return this.closed;
  }

  drop() {
    this.session._socket.close(1000);
    return this.closed;
  }
}

class WampyMember {
  static async join(url, realm, serializer, { authid, announce } = {}) {
    const serializers = { json: JsonSerializer, msgpack: MsgpackSerializer, cbor: CborSerializer };
    const member = new WampyMember();
    let close;
    member.closed = new Promise((resolve) => (close = resolve));
    const wampy = new Wampy(url, {
      realm,
      ws: w3cwebsocket,
      autoReconnect: false,
      serializer: new serializers[serializer](),
      payloadSerializers: { json: new JsonSerializer(), cbor: new CborSerializer() },
      // wampy.js does not tell why it was closed.
      onClose: () => close([null, null]),
      ...(authid && { authid, authmethods: ["ticket"], onChallenge: () => ticketOf(authid) }),
    });
    // What it can do and does not announce; it has no option for that.
    for (const [role, features] of Object.entries(announce ?? {}))
      Object.assign(wampy._wamp_features.roles[role].features, features);
    member.wampy = wampy;
    await wampy.connect();
    member.id = Number(wampy.getSessionId());
    return member;
  }

  async _settled(promise) {
    try {
      return await promise;
    } catch (error) {
      throw error.errorUri ? failure(error.errorUri, error.argsList) : error;
    }
  }

  async listen(topic, options = {}) {
    const events = [];
    const listener = ({ argsList, argsDict, details }) =>
      events.push({ args: argsList ?? [], kwargs: argsDict ?? {}, details });
    // What is not given, wampy.js sends as undefined: see "plain subscription".
    const given = { match: "exact", get_retained: false, ...options };
    const subscription = await this._settled(this.wampy.subscribe(topic, listener, given));
    return Object.assign(events, {
      id: Number(subscription.subscriptionId),
      // wampy.js breaks on the answer when it unsubscribes from what had options.
      end: () => this.leave(),
    });
  }

  async publish(topic, args = [], { kwargs, ...options } = {}) {
    const payload = { argsList: args, ...(kwargs && { argsDict: kwargs }) };
    return Number((await this._settled(this.wampy.publish(topic, payload, options))).publicationId);
  }

  async register(procedure, answer, options = {}) {
    const endpoint = async ({ argsList, argsDict, details }) => {
      const value = await answer({ args: argsList ?? [], kwargs: argsDict ?? {}, details });
      return value?.options ? value : { argsList: [value] };
    };
    const registration = await this._settled(this.wampy.register(procedure, endpoint, options));
    return { id: Number(registration.registrationId), end: () => this.wampy.unregister(procedure) };
  }

  stream(procedure, work) {
    return this.wampy.register(procedure, async ({ argsList: [count], details, result_handler }) => {
      const progress = (item) => result_handler({ argsList: [item], options: { progress: true } });
      return { argsList: [await work(count, details.receive_progress && progress)] };
    });
  }

  call(procedure, args = [], kwargs = {}, { on_progress, ...options } = {}) {
    return this.cancelable(procedure, args, kwargs, { on_progress, ...options }).result;
  }

  cancelable(procedure, args = [], kwargs = {}, { on_progress, ...options } = {}) {
    if (on_progress) options.progress_callback = ({ argsList }) => on_progress(argsList);
    const pending = this.wampy.call(procedure, { argsList: args, argsDict: kwargs }, options);
    const { reqId } = this.wampy.getOpStatus();
    const unpack = ({ argsList, argsDict }) => ({ args: argsList ?? [], kwargs: argsDict ?? {} });
    const result = this._settled(pending.then(unpack));
    return { result, cancel: (mode) => this.wampy.cancel(reqId, { mode }) };
  }

  async leave() {
    if (this.wampy.getSessionId()) await this.wampy.disconnect();
    return this.closed;
  }

  drop() {
    this.wampy._ws.close();
    return this.closed;
  }
}

export const clients = { autobahn: AutobahnMember, wampy: WampyMember };
