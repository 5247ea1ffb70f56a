/** The English texts of a report. `{}` is replaced by the detail of a finding. */
export const en = {
  labels: {
    signature: 'Form, tag and coverage',
    window: 'Time',
    digest: 'Body against content-digest',
    key: 'Key',
    verify: 'Ed25519 signature',
    token: 'Access token',
    caller: 'Caller against the token',
    device: 'Signature of the device',
    gateway: 'Signature of the gateway',
    push: 'Signature of a backend on a push',
    response: 'Signature of the service on the response',
    ok: 'ok     ',
    failed: 'FAILED ',
    unknown: '-      ',
    good: 'No check fails.',
    bad: 'Fails at the step',
    unsigned: 'Nothing is signed.',
    cause: 'Likely cause: it verifies when',
    finding: 'Cause',
    ours: 'Signature base of the captured message',
    signer: 'Signature base as it was signed',
    service: 'Signature base as the service computed it',
    serviceResult: 'What the service computed',
    differs: 'First byte that differs: offset {o}, line {l}, column {c}, in {n}: {a} here, {b} there',
    end: 'the end',
    note: 'Note',
    secret: 'the value is secret',
    same: 'The bases differ in the same way (--json shows them).',
  },
  findings: {
    'method-case': 'the method is {}',
    'method-override':
      'the method is {} (from X-HTTP-Method-Override): sign the method that is actually sent',
    'method-other': 'the method is {}: a redirect, a cache or a framework changed it',
    'host-other': 'the host is {} (from Host), not that of --origin. Does --origin equal MINISEAL_ORIGIN?',
    'host-forwarded':
      'the host is {} (from a field of a proxy): a proxy replaced Host. Forward it unchanged, or verify with MINISEAL_ORIGIN',
    'host-port-removed': 'the host has no port: {}',
    'host-port-added': 'the host has a port: {}. RFC 9421 omits the default port',
    'host-scheme': 'the port is that of http: the scheme of a request is always https',
    'target-original': 'path and query are {}: a proxy rewrote them and names the original in a field',
    'path-escape-case': 'percent-encoding in the path is in the other case: {}',
    'path-decoded':
      'the path is decoded: {}. A router or proxy decoded or encoded it; forward it unchanged (nginx: proxy_pass without a path)',
    'path-encoded': 'the path is encoded: {}. A router or proxy decoded it; forward it unchanged',
    'path-plus': 'spaces and + in the path are encoded differently: {}',
    'path-slash': 'the path has, or lacks, a slash at its end: {}',
    'path-slashes': 'repeated slashes of the path are merged: {} (nginx: merge_slashes off)',
    'path-case': 'the path is in lower case: {}',
    'path-prefix':
      'the path has another prefix: {}. A proxy added or removed it; the gateway never changes a path',
    'query-removed': 'there is no query: it was added on the way',
    'query-escape-case': 'percent-encoding in the query is in the other case: {}',
    'query-decoded': 'the query is decoded: {}',
    'query-encoded': 'the query is encoded: {}',
    'query-plus': 'spaces in the query are encoded differently (+ or %20): {}. A form parser rewrote it',
    'query-equals': 'a parameter without a value has, or lacks, its equals sign: {}',
    'query-reordered':
      'the query parameters are in another order: {}. Something parsed and rewrote the query',
    'query-parameter': 'the query parameter {} is absent: it was added on the way, for example for tracking',
    'field-spaces': '{} has other white space inside: something rewrote it',
    'field-case': '{} is in lower case',
    'field-quotes': '{} has, or lacks, its quotes: it is a structured field, whose strings are quoted',
    'field-joined':
      '{} is repeated and joined differently: RFC 9421 joins repeated fields with a comma and a space',
    'field-first': '{} is repeated and only one was signed: a proxy added the other',
    'field-scheme': '{} has another scheme: it must be HTTPSig',
    'field-gone': '{} was present when it was signed: it was removed or renamed',
    'type-charset': '{} has another charset parameter: a framework rewrote it',
    'digest-recomputed':
      '{} is that of the current body: the field was recomputed or changed after it was signed',
    'digest-of-form': 'content-digest is that of another form of the body: {}',
    status: 'the status is {}: a proxy or cache changed it',
    'parameters-order':
      'the signature parameters are in another order: {}. Sign them in the order of the field',
    'parameters-less': 'the parameter {} is in signature-input but was not signed',
    'parameters-more': 'the parameter {} was signed but is not in signature-input',
    created: 'created is {}: the signer signs one number and sends another',
    'base-newline': 'the signer ends the base with a line feed: the last line has none',
    'base-crlf': 'the signer ends lines with CR LF: use LF alone',
    'base-hashed': 'the signer signs the SHA-256 of the base: Ed25519 signs the base itself',
    'base-query': 'the signer writes @query without its question mark: without a query it is ?',
    'base-path': 'the signer includes the query in @path',
    'base-params': 'the signer omits the last line, "@signature-params"',
    'base-label':
      'the signer writes the label into "@signature-params": the line begins with the parenthesis',
    'base-quotes': 'the signer writes component names without quotes',
    'created-milliseconds': 'created is {}: milliseconds; it must be seconds',
    'clock-ahead': 'the clock of the signer is ahead: created is {} s in the future',
    'clock-behind':
      'created is {} s old: the clock of the signer is behind, or the request was sent later. Sign each attempt anew',
    'age-unknown':
      'created is {} s old by the clock of this machine; the time of arrival is not known: use --at',
    'body-empty': 'there was no body when it was signed',
    'body-newline-stripped':
      'the body verifies without the line end at its end: an editor or template added it',
    'body-trimmed': 'the body verifies without the white space around it',
    'body-newline-added': 'the body verifies with a line end at its end: it was trimmed',
    'body-line-ends': 'the body verifies with other line ends: LF and CR LF were converted',
    'body-bom': 'the body verifies with, or without, a byte order mark',
    'body-plus': 'the body verifies with + and %20 exchanged: a form parser rewrote it',
    'body-gunzip':
      'the body verifies when it is decompressed: it was compressed after it was signed, or signed before compression',
    'body-gzip':
      'the body verifies when it is compressed: it was decompressed. The digest is over the bytes as sent',
    'body-re-gzip':
      'the body verifies when it is compressed again: it was decompressed and compressed on the way',
    'body-base64': 'the body verifies when its base64 is decoded',
    'body-to-base64': 'the body verifies as base64: it was decoded',
    'body-charset': 'the body verifies in another character encoding',
    'body-json-minified':
      'the body verifies when its JSON is minified: something parsed and rewrote it. Verify the raw bytes',
    'body-json-spaced': 'the body verifies when its JSON has spaces after : and , (as Python writes it)',
    'body-json-pretty': 'the body verifies when its JSON is indented: it was minified',
    'body-json-escaped': 'the body verifies with other escapes in its JSON: something parsed and rewrote it',
    'body-json-sorted': 'the body verifies when its JSON members are sorted',
    'body-json-string': 'the body is JSON in a JSON string: it was encoded twice',
    'body-gone': 'the body is absent: was it read before, or captured without its body?',
    'body-other':
      'no known form of the body ({} bytes) has this digest: another body, or an incomplete capture',
    'device-key-other': 'miniseal-device-key is not the key of keyid; its thumbprint is {}',
    'no-device-key': 'the key of the device is not known: use --key, or a request with miniseal-device-key',
    'no-service-key': 'no key of the service is known: use --jwks https://…/.well-known/miniseal-keys.json',
    'key-not-named': 'keyid is not one of the known keys: {}. A rotated key? Another environment?',
    'key-purpose': 'the key {} is published for another use',
    'token-gone': 'authorization is absent: a proxy removed it, or the client did not send it',
    'token-unreadable': 'authorization is not an access token of the service: {}',
    'token-of-other-key': 'the token is bound to the key {}: another device or another login',
    'token-of-other-service': 'the token belongs to another service: {}. Another environment? Use --origin',
    'token-late': 'the token expired {} s ago',
    'token-key-missing':
      'the token is not verified: its key {} is not known. Use --jwks https://…/.well-known/jwks.json',
    'token-forged': 'the signature of the token does not verify: {}',
    'caller-other': 'miniseal-caller and the token differ in {}',
    'component-gone': 'covered but absent: {}. It was removed on the way',
    coverage: 'it covers: {}',
    'no-signature-bytes': 'the field signature has no 64 bytes under this label',
    'request-missing': 'the signature of a response covers the request: use --request',
    'no-key': 'there is no key to verify with: use --key or --jwks{}',
    unexplained:
      'no known change makes it verify{}. If the signer can print its base, use --base; else it is another key of the same name, or a change of more than two parts',
    'unexplained-key': 'no known key and no known change makes it verify{}: the key of keyid is missing',
    'key-other': 'it verifies with another key than that of keyid: {}',
    'same-base':
      'both bases are equal and the signature does not verify: a wrong key, or a signature of something else',
    'base-differs': 'the bases differ in {}, and no known change explains it',
    'base-not-signed':
      'the signature does not verify over the base of --base either: it belongs to another request, or the key is wrong',
    'service-same':
      'the service computed exactly this base: nothing changed on the way. The key or the signature is wrong',
    'service-differs': 'the service computed another base, and no known change explains it',
    'service-same-lengths': 'the service computed another base in which every component has the same length',
    'service-length': 'the service has another length for {} (here / there)',
    'signature-unreadable': 'a signature field is malformed: {}',
    'sealed-frame':
      'this is an encrypted frame. Capture the request behind the gateway, or in the client before encryption',
    'not-signed':
      'there is no signature: a proxy removed the fields, or the request did not pass the service',
    'half-signed': 'only {} is present: a proxy removed the other signature field',
    'body-longer': 'the body is longer than content-length ({}): the rest is ignored',
    'body-shorter': 'the body is shorter than content-length ({}): the capture is incomplete',
    chunked: 'the body was chunked; it has {} bytes',
    'field-repeated': '{} is repeated; the values are joined',
    'no-host': 'there is no Host: use --origin',
    'har-chosen': 'entry {} of the HAR file is explained',
    'body-absent': 'the HAR entry had a body ({} bytes) and does not contain it',
  },
} as const

/** The same texts in another language. */
export interface Locale {
  readonly labels: Readonly<Record<keyof typeof en.labels, string>>
  readonly findings: Readonly<Record<keyof typeof en.findings, string>>
}
