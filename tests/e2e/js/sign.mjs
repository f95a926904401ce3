// Signs a listen token with nothing but Node: node sign.mjs KEY-ID SECRET SECONDS CHANNEL...
import { createHmac } from "node:crypto";

const [, , kid, secret, seconds, ...listen] = process.argv;
const encoded = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");
const exp = Math.floor(Date.now() / 1000) + Number(seconds);
const told = `${encoded({ alg: "HS256", typ: "JWT", kid })}.${encoded({ exp, listen })}`;
console.log(`${told}.${createHmac("sha256", secret).update(told).digest("base64url")}`);
