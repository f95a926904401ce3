// The part of the browsers' XMLHttpRequest that Autobahn|JS's long-poll uses, over Node's fetch.

"use strict";

global.XMLHttpRequest = class {
  #headers = {};

  open(method, url) {
    this.method = method;
    this.url = url;
  }

  setRequestHeader(name, value) {
    this.#headers[name] = value;
  }

  async send(body) {
    const signal = this.timeout ? AbortSignal.timeout(this.timeout) : undefined;
    try {
      const answer = await fetch(this.url, { method: this.method, headers: this.#headers, body, signal });
      this.responseText = await answer.text();
      this.status = answer.status;
      this.statusText = answer.statusText;
    } catch (error) {
      this.status = 0;
      this.statusText = String(error);
      if (error.name === "TimeoutError") this.ontimeout();
    }
    this.readyState = 4;
    this.onreadystatechange();
  }
};
