/** The words of the OpenAPI document: how its operations travel, and how they are signed. */

export const description = `The inner API: requests that travel sealed within Miniseal's channel. They cannot be sent as they stand here.

**The channel.** Each request is an ordinary HTTP request, signed by the device, written as Binary HTTP (RFC 9292) and
sealed into a frame. The frame is all that travels: \`POST /seal\` with \`Content-Type: application/vnd.miniseal\`, a
socket (\`GET /seal\`, subprotocol \`miniseal.v1\`), or WeChat's cloud hosting. The answer is \`200\` with a frame,
whatever the inner status is. The client library in \`miniprogram/client\` does this; so does \`npx miniseal call\`. The
bytes are specified in \`docs/reference/protocol.md\`.

**The signature.** RFC 9421, label \`sig\`, Ed25519, no \`alg\`, parameters \`created\`, \`nonce\`, \`keyid\`,
\`tag="miniseal"\`. It covers \`@method\`, \`@authority\`, \`@path\`, \`@query\` and, where they are present,
\`content-type\`, \`content-encoding\`, \`content-digest\`, \`authorization\`, \`idempotency-key\`, \`if-none-match\`,
\`step-up\`. Every answer is signed by the service and bound to its request.

**Effects.** Every request but GET, HEAD and OPTIONS needs \`Idempotency-Key\`, a structured string. The same key gives
the same answer again, with \`Idempotency-Replayed: true\`.

**Confirmation.** Any request may be answered with \`step_up_required\`: the same request is then sent with \`step-up\`.

**Refusals** are problem documents (RFC 9457) with a code from a closed list; each code has a page at its \`type\`. Some
refusals come in the clear, as the answer to \`POST /seal\` itself: where there is nothing to seal with.

Every other path goes to the backends behind the service, and is theirs to describe.`

export const securityDescription = `\`Authorization: HTTPSig <access token>\`: a JWT of ten minutes, bound by
\`cnf.jkt\` to the device key that signs the request. Without that signature it is worth nothing.`

export const idempotencyDescription =
  'A structured string (RFC 8941) of 1 to 255 characters, in quotes. A repetition has the same key, a new signature and a new nonce.'

export const stepUpDescription =
  'The confirmation by finger or face of exactly this request: challenge="…", json=:…:, sig=:…: (RFC 8941).'
