/*
 * The handshake (docs/reference/protocol.md, sections 4 and 6) against an attacker who owns the network, in the symbolic model: what
 * is sealed opens with its key alone, a signature is made with its key alone, and a shared secret of X25519 is known to
 * whoever has one of the two secret keys.
 *
 * One device logs in once, with e_c and a WeChat code. The service answers RUNS handshakes, each with an e_s of its own.
 * The attacker has an ephemeral key, a device key and a code of their own, delivers, repeats and drops what is sent, and
 * makes every login that follows from what they know. The agreement key S leaks
 *   never              (nothing defined),
 *   -D STOLEN_BEFORE   before the device logs in,
 *   -D STOLEN_AFTER    once the login is answered.
 *
 * es = DH(e, S) and ee = DH(e, e_s). c2s, s2c and K2 come from both, and from the transcript: the whole first frame.
 *
 * -D DEVICE_ONLY: only what the device itself sees is asserted.
 * -D WITHOUT_HANDSHAKE: the signed login does not say for which e_c it is made. -D WITHOUT_NONCE_CLAIM: a signed login is taken
 * more than once. -D CODE asserts what does not hold with S stolen before: that a code gives its owner's device a session
 * and no other.
 */

#ifndef RUNS
#define RUNS 2
#endif

/* Who has the secret of an ephemeral, of a device key, of a code. */
mtype = { nobody, device, attacker, service }

#ifdef STOLEN_BEFORE
bool hasS = true;
#else
bool hasS;
#endif

/* The network. */
bool sent;               /* the first frame of the device */
bool opened;             /* the attacker has read the signed login in it, and the code */

/* What the service keeps. */
bool nonceUsed;          /* of the device's login */
bool codeUsed;           /* the device's owner's */

/* Sessions: a run of the service. */
mtype signer[RUNS];      /* whose device key signed the login */
mtype ephemeral[RUNS];   /* whose e the frame holds */
mtype person[RUNS];      /* whose code */
bool original[RUNS];     /* it was the device's own frame, byte for byte: th says so */

/* The device's end. */
mtype peer = nobody;     /* whose e_s it agreed with */
byte peerRun;

byte logins;             /* sessions that the device's signature gave */

/* c2s and s2c of a run: es needs S or the e, ee needs the e or the e_s, and every e_s is the service's. */
#define KEYS_KNOWN(at) (ephemeral[at] == attacker)

/* The service's signature over its answer to the device's login; it stands in a box under K2 of that run. */
bool hasAnswer;

inline accept(who, e, whose, isOriginal) {
	d_step {
		signer[at] = who; ephemeral[at] = e; person[at] = whose; original[at] = isOriginal;
		if
		:: who == device -> nonceUsed = true; logins++
		:: else
		fi;
		if
		:: whose == device -> codeUsed = true
		:: else
		fi
	}
#ifndef DEVICE_ONLY
	/* AGREEMENT: what the device signed begins a session with the e_c that the device made, and no other. */
	assert(signer[at] != device || ephemeral[at] == device);
	/* ONCE */
	assert(logins <= 1);
	/* SECRET: of the keys of a session that is the device's. */
	assert(!(signer[at] == device && KEYS_KNOWN(at)));
#endif
#ifdef CODE
	assert(person[at] != device || signer[at] == device);
#endif
}

#ifdef WITHOUT_NONCE_CLAIM
#define FRESH true
#define CODE_FRESH true
#else
#define FRESH (!nonceUsed)
#define CODE_FRESH (!codeUsed)
#endif

/* `handshake` in the signed body of the device names the device's e_c (service/channel/login.ts). */
#ifdef WITHOUT_HANDSHAKE
#define NAMES(e) true
#else
#define NAMES(e) (e == device)
#endif

active proctype Service() {
	byte at;
	do
	:: at < RUNS ->
		if
		/* The device's frame, once or again. */
		:: atomic { sent && FRESH && CODE_FRESH -> accept(device, device, device, true) }
		/* Its signed login in another frame: under an e of the attacker's; or under e_c itself, which S seals for. */
		:: atomic { opened && FRESH && CODE_FRESH && NAMES(attacker) -> accept(device, attacker, device, false) }
		:: atomic { opened && hasS && FRESH && CODE_FRESH && NAMES(device) -> accept(device, device, device, false) }
		/* A login of the attacker's own device, with a code of their own, or one that they have read. */
		:: atomic { accept(attacker, attacker, attacker, false) }
		:: atomic { opened && CODE_FRESH -> accept(attacker, attacker, device, false) }
		fi;
		at++
	:: else -> break
	od
}

active proctype Device() {
	byte at;
	sent = true;
	/* Nothing need ever come back. */
end:	do
	/* The answer of a run that took this very frame. */
	:: atomic { peer == nobody && at < RUNS && signer[at] == device && original[at] -> peer = service; peerRun = at }
	/* An answer that the attacker seals with an e_s of their own: es needs S, and the body the service's signature. */
	:: atomic { peer == nobody && hasS && hasAnswer -> peer = attacker }
	:: peer == nobody && at < RUNS - 1 -> at++
	:: peer != nobody -> break
	od;
	/* SERVICE: whom the device agreed with is the service, in a run for this device and this e_c. */
	assert(peer == service);
	assert(signer[peerRun] == device && ephemeral[peerRun] == device && !KEYS_KNOWN(peerRun))
}

active proctype Attacker() {
	byte at;
end:	do
	:: atomic { sent && hasS && !opened -> opened = true }
	/* With the keys of a run that took the device's login: its answer, signed for the device's request. */
	:: atomic { at < RUNS && signer[at] == device && KEYS_KNOWN(at) && !hasAnswer -> hasAnswer = true }
	:: at < RUNS - 1 -> at++
#ifdef STOLEN_AFTER
	:: atomic { !hasS && nonceUsed -> hasS = true }
#endif
	:: peer != nobody -> break
	od
}
