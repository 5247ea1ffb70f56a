/** What each finding means, in English. `{}` is its detail: a path, a name, a number, never a secret. */

export const messagesEn = {
  'method-case': 'the method is written {}',
  'method-override': 'the method is {}, as X-HTTP-Method-Override says: sign the method that is sent',
  'method-head': 'the method is {}: a cache or framework turned one of HEAD and GET into the other',
  'method-other': 'the method is {}: a redirect or a framework changed it on the way',
  'host-other': 'the host is {}, as Host says. --origin names another: is it MINISEAL_ORIGIN of the service?',
  'host-forwarded':
    'the host is {}, as the proxy’s own field says: the proxy replaced Host. Pass it on as it came, or verify with MINISEAL_ORIGIN',
  'host-port-removed': 'the host has no port: {}',
  'host-port-added': 'the host has its port: {}. RFC 9421 leaves the default port away',
  'host-scheme':
    'the port belongs to http: the signer took the scheme to be http, and it is always https inside',
  'host-www': 'the host is {}: a redirect or proxy added or removed www',
  'target-original': 'path and query are {}: the proxy rewrote them, and says so in a field of its own',
  'path-escape-case': 'the escapes in the path are of another case: {}',
  'path-decoded':
    'the path is percent-decoded: {}. Some router or proxy encodes or decodes it; it must be passed on untouched (nginx: proxy_pass without a path)',
  'path-encoded':
    'the path is percent-encoded: {}. Some router or proxy decodes it; it must be passed on untouched',
  'path-plus': 'space and + are written otherwise in the path: {}',
  'path-slash': 'the slash at the end of the path differs: {}',
  'path-slashes': 'repeated slashes are merged: {} (nginx: merge_slashes off)',
  'path-case': 'the path is in lower case: {}',
  'path-suffix': 'the index file is not in the path: {}',
  'path-prefix': 'the path has another prefix: {}. A proxy adds or strips it; routes of the gateway never do',
  'query-removed': 'there is no query: somebody added one on the way',
  'query-escape-case': 'the escapes in the query are of another case: {}',
  'query-decoded': 'the query is percent-decoded: {}',
  'query-encoded': 'the query is percent-encoded: {}',
  'query-plus':
    'space is written otherwise in the query, + for %20 or the other way: {}. A form parser wrote it anew',
  'query-equals': 'parameters without a value have their = sign otherwise: {}',
  'query-separator': 'the parameters are separated otherwise: {}',
  'query-reordered':
    'the parameters of the query stand in another order: {}. Somebody parsed and wrote it anew',
  'query-parameter':
    'the parameter {} is not there: somebody added it on the way, a tracking parameter for example',
  'field-spaces': '{} has other spaces inside: somebody wrote its value anew',
  'field-case': '{} is in lower case',
  'field-quotes':
    '{} has, or has not, its quotes: it is a structured field, and a string there stands in quotes',
  'field-joined':
    '{} comes more than once and is joined otherwise: RFC 9421 joins with a comma and one space',
  'field-first': '{} comes more than once, and only one of them was signed: a proxy added the other',
  'field-scheme': '{} has another scheme: the service’s is HTTPSig',
  'field-gone': '{} was there when it was signed: somebody took it away or renamed it',
  'type-charset': '{} says the charset otherwise: a framework wrote it anew',
  'digest-recomputed':
    '{} is that of the body as it is now: somebody made the field anew, or changed it, after it was signed',
  'digest-of-form': 'content-digest is that of another form of the body: {}',
  status: 'the status is {}: a proxy or a cache changed it',
  'parameters-order':
    'the parameters of the signature stand in another order: {}. They must be signed as they are sent',
  'parameters-less': 'the parameter {} is in signature-input and was not signed: it was added afterwards',
  'parameters-more':
    'the parameter {} was signed and is not in signature-input; the protocol has none of that name',
  created: 'created is {}: the signer signs one number and sends another',
  'base-newline': 'the signer’s base ends with a line end: the last line has none',
  'base-crlf': 'the signer’s lines end with CR LF: they end with LF alone',
  'base-hashed': 'the signer signs the SHA-256 of the base: Ed25519 signs the base itself',
  'base-hex': 'the signer signs the hex text of a hash: Ed25519 signs the base itself',
  'base-query':
    'the signer writes @query without its question mark, or leaves it out: it is ? where there is no query',
  'base-path': 'the signer writes the query into @path as well',
  'base-params': 'the signer leaves out the last line, "@signature-params"',
  'base-label': 'the signer writes the label into "@signature-params"; the line begins with the parenthesis',
  'base-quotes': 'the signer writes component names without quotes',
  'base-colon': 'the signer writes no space after the colon',
  'created-milliseconds': 'created is {}: milliseconds; it is counted in seconds',
  'clock-ahead': 'the clock of the signer is ahead: created is {} s in the future',
  'clock-behind':
    'created is {} s old: the clock of the signer is behind, or the request was kept and sent later. Each attempt is signed anew',
  'age-unknown': 'created is {} s old by the clock of this machine; when it arrived is not known: give --at',
  'body-empty': 'there was no body when it was signed',
  'body-newline-stripped': 'the body fits without the line end at its end: an editor or a template added it',
  'body-trimmed': 'the body fits without the white space around it',
  'body-newline-added': 'the body fits with a line end at its end: somebody trimmed it',
  'body-line-ends': 'the body fits with other line ends: somebody changed LF and CR LF',
  'body-bom': 'the body fits with, or without, a byte order mark',
  'body-plus': 'the body fits with + and %20 written otherwise: a form parser wrote it anew',
  'body-gunzip':
    'the body fits when it is unpacked: somebody compressed it after it was signed, or signed it before packing it',
  'body-gzip':
    'the body fits when it is packed: somebody unpacked it. The digest is over the bytes as they were sent',
  'body-re-gzip': 'the body fits when it is packed anew: somebody unpacked and packed it',
  'body-base64': 'the body fits when its base64 is decoded',
  'body-to-base64': 'the body fits as base64: somebody decoded it',
  'body-charset': 'the body fits in another character encoding: it was read as one and written as the other',
  'body-json-minified':
    'the body fits when its JSON is minified: somebody parsed and wrote it anew. Verify the raw bytes',
  'body-json-spaced': 'the body fits when its JSON is written with spaces after : and , (as Python does)',
  'body-json-pretty': 'the body fits when its JSON is indented: somebody minified it',
  'body-json-escaped':
    'the body fits when its JSON escapes characters otherwise: somebody parsed and wrote it anew',
  'body-json-sorted': 'the body fits when its JSON members are sorted: somebody keeps another order',
  'body-json-string': 'the body is JSON within a JSON string: it was encoded twice',
  'body-gunzip-json': 'the body fits when it is unpacked and its JSON is written anew',
  'body-gone': 'there is no body any more: was it read before? Or was the capture made without it?',
  'body-other':
    'no known form of the body ({} bytes) has this digest: another body, or a capture that is cut off',
  'device-key-other': 'miniseal-device-key is another key than keyid names; its thumbprint is {}',
  'no-device-key': 'the device’s key is not known: give --key, or a request that carries miniseal-device-key',
  'no-service-key': 'no key of the service is known: give --jwks https://…/.well-known/miniseal-keys.json',
  'key-not-named': 'keyid is none of the known keys: {}. A rotated key? Another environment?',
  'key-purpose': 'the key {} is published for another purpose: it signs no such message',
  'token-gone': 'there is no authorization field: a proxy took it away, or the client did not send it',
  'token-scheme': 'the scheme is {}: it must be HTTPSig',
  'token-unreadable': 'the token is no JWT of the service: {}',
  'token-of-other-key': 'the token is bound to the key {}: it is of another device or another login',
  'token-of-other-service': 'the token is of another service: {}. Another environment? Give --origin',
  'token-late': 'the token expired {} s ago',
  'token-key-missing':
    'the token is not verified: its key {} is not known. Give --jwks https://…/.well-known/jwks.json',
  'token-forged': 'the token does not verify with the key that it names: {}',
  'caller-other': 'miniseal-caller and the token differ in {}',
  'component-gone': 'covered, and not there: {}. Somebody took it away',
  coverage: 'it covers: {}',
  'no-signature-bytes': 'signature has no 64 bytes under this label',
  'request-missing': 'the answer’s signature covers the request too: give it with --request',
  'no-key': 'there is no key to verify with: give --key or --jwks{}',
  unexplained:
    'no known change makes it verify{}. If the signer can print its base, give it with --base; else it is another key under this name, or a change of more than two parts',
  'unexplained-key':
    'no known key and no known change makes it verify{}: the key that keyid names is missing here',
  'key-other': 'it verifies with another key than keyid names: {}',
  'same-base':
    'both bases are the same, and the signature is not over them: wrong key, or a signature of something else',
  'base-differs': 'the bases differ in {}, and no known change explains it',
  'base-not-signed':
    'the signature is not over the base of --base either: it is another request’s, or the key is wrong',
  'service-same':
    'the service computed exactly this base: nothing changed on the way. The key or the signature is wrong',
  'service-differs': 'the service computed another base, and no known change gives it',
  'service-same-lengths': 'the service computed another base in which every component has the same length',
  'service-length': 'the service has another length for {} (here / there)',
  'signature-unreadable': 'a signature field cannot be read: {}',
  'sealed-frame':
    'this is a sealed frame, as it travels: what is in it only the phone and the service see. Capture the request behind the gateway, or in the client',
  'not-signed':
    'there is no signature: a proxy took the fields away, or the request never went through the service',
  'half-signed': 'only {} is there: signature and signature-input belong together, and one was taken away',
  'body-longer': 'the body is longer than content-length says ({}): the rest is left aside',
  'body-shorter': 'the body is shorter than content-length says ({}): the capture is cut off',
  chunked: 'the body was in chunks; it has {} bytes',
  'field-repeated': '{} comes more than once; the values are joined',
  'no-host': 'there is no Host: give --origin',
  'har-chosen': 'of the HAR file, entry {} is explained',
  'body-absent': 'the HAR entry says that there was a body ({} bytes), and does not hold it',
} as const

export type MessageId = keyof typeof messagesEn
