// Publishes lines by a stream that fetch sends while it reads results.
// node upload.mjs URL COUNT: prints how many results there were, and how many before the last line was sent.

const [url, count] = process.argv.slice(2)
const encoder = new TextEncoder()
let sent = 0
let early = 0
let release
const answered = new Promise((resolve) => { release = resolve })

const body = new ReadableStream({
  async pull(controller) {
    // The last line waits for a result: it comes only if results are told as they are known.
    if (sent === Number(count) - 1) await answered
    if (sent === Number(count)) return controller.close()
    controller.enqueue(encoder.encode(JSON.stringify({ network: 'sample_net', data: { n: sent } }) + '\n'))
    sent += 1
  },
})
const answer = await fetch(`${url}/publish`, {
  method: 'POST',
  headers: { 'API-KEY': 'sample-key', 'Content-Type': 'application/x-ndjson' },
  body,
  duplex: 'half',
})
let text = ''
const decoder = new TextDecoder()
for await (const piece of answer.body) {
  text += decoder.decode(piece, { stream: true })
  if (sent < Number(count)) early += 1
  release()
}
const results = text.trimEnd().split('\n').map((line) => JSON.parse(line))
console.log(JSON.stringify({
  status: answer.status, results: results.length, good: results.filter((one) => one.message === 'OK').length,
  early: early > 0,
}))
