/*
 * Replay, idempotency, revocation and the log, under crashes: the stages of service/channel/ against one store.
 *
 * FRAMES signed requests exist, all under one Idempotency-Key of one session. Each has a nonce of its own: the later ones
 * are what a client sends again. The last one has another body, where there are three, unless -D SAME_BODY. The network is the attacker:
 * any service takes any frame at any time, any number of times, or never: it copies, delays, reorders, drops and releases
 * late. A person taps again (another frame), or gives up (a canceller). Frames cannot be made or changed: that is the
 * signature's and the box's part (docs/internals/formal.md), not this model's.
 *
 * A service may crash between any two steps and then loses its state. Only "store" persists, and each commit to it is one
 * atomic step. A commit may succeed although the service receives an error.
 *
 * Each -D WITHOUT_... removes one guard; test/e2e/model/exchange.test.ts shows that the model then finds a violation.
 * -D IDEMPOTENT_ROUTE is a route whose backend promises one effect for one key (service/gateway/backend.ts).
 */

#ifndef FRAMES
#define FRAMES 3
#endif
#ifndef SERVICES
#define SERVICES 2
#endif
#ifndef HOUSEKEEPERS
#define HOUSEKEEPERS 2
#endif
#ifndef CANCELLERS
#define CANCELLERS 1
#endif
#ifdef SAME_BODY
#define BODY(frame) 0
#else
#define BODY(frame) (FRAMES > 2 && frame == FRAMES - 1)
#endif

mtype = { free, running, answered, unknown, refused, cancelled }

/* The store. */
bool nonce[FRAMES];       /* nonces */
mtype key = free;         /* the idempotency record: its state, */
byte keyBody;             /* its fingerprint, */
byte keyOwner;            /* who works on it (started_at), */
byte keyAnswer;           /* and its answer */
bool intent[3];           /* tlog_intents */
bool leaf[FRAMES];        /* tlog_pending: what came of the request */
bool unknownLeaf[FRAMES]; /* tlog_pending: `outcome-unknown` */
bool revoked;             /* the device, and its sessions with it */

/* Time: `created` of every frame is more than the window ago. */
bool late;

/* What the properties speak of; no service can see it. */
byte effects;
byte accepted[FRAMES];
byte firstAnswer;         /* the first one that left; 0: none did */
byte firstBody;
bool toldNone;            /* somebody was told that nothing has happened and nothing will */
byte betweenChecks;       /* services between the check of the window and the claim of the nonce */

inline begin() { d_step { frame = 0; answer = 0; tookOver = false } }
#define TOLD(frame) (leaf[frame] || unknownLeaf[frame])

/* The condition of complete-idempotency and release-idempotency (store/claims.ts). */
#ifdef WITHOUT_OWNER
#define IS_OWN (key == running)
#else
#define IS_OWN (key == running && keyOwner == frame)
#endif

/* KEPT: at any time, on the disk, what was accepted is in the log or about to be. */
#ifdef WITHOUT_INTENT_BEFORE_EFFECT
#define KEPT
#else
#define KEPT assert(accepted[frame] == 0 || intent[frame] || TOLD(frame))
#endif

/* NONE: who is told `none` is told the truth, then and ever (work: nothing has an effect any more). DONE: exactly one. */
#ifdef NOT_TOLD /* the harm without a guard is looked for where it is done, not where it is told */
inline tellNone() { skip }
inline tellDone() { skip }
#else
inline tellNone() { assert(effects == 0); toldNone = true }
inline tellDone() { assert(effects == 1 && !toldNone) }
#endif

/* An outcome's leaf with the intent that it settles: one commit (service/tlog/commit-entries.ts, commitEntries). */
inline tell() { leaf[frame] = true; intent[frame] = false }

active [SERVICES] proctype Service() {
  byte frame, answer;
  bool tookOver;

over: /* an answer, a refusal or a crash: nothing of it is left in memory */
  begin();

  atomic {
    /* Whatever the network brings. Size, form, box and signature hold for the frames that there are. */
    select (frame : 0 .. FRAMES - 1);
    /* open.ts openSessionRequest, verify.ts verifyRequest: the window, and the session as it is, or as it was remembered. */
    if
    :: late -> goto over
    :: !late && revoked -> goto over
    :: !late -> betweenChecks++
    fi
  }

claim: /* authorize.ts commitClaims: nonce, session, key and intent in one commit */
  atomic {
    betweenChecks--;
    if
    :: goto over /* a crash */
    :: true
    fi;
    if
#ifndef WITHOUT_UNIQUE_NONCE
    :: nonce[frame] -> /* replayed */
#ifdef WITHOUT_OUTCOME_FROM_CLAIM
      tellNone();
#endif
      goto over
#endif
#ifndef WITHOUT_REVOCATION_IN_COMMIT
    :: revoked -> goto over /* session_ended */
#endif
    :: else ->
      nonce[frame] = true;
      accepted[frame]++;
      assert(accepted[frame] == 1);       /* ONCE: a nonce is accepted once */
      assert(!revoked);                   /* REVOKED: nothing is accepted once a revocation is committed */
#if !defined(WITHOUT_INTENT_IN_COMMIT) && !defined(WITHOUT_INTENT_BEFORE_EFFECT)
      intent[frame] = true;
#endif
      KEPT;
      if
#ifdef WITHOUT_KEY_CLAIM
      :: true ->
#else
      :: key == free ->
#endif
        key = running; keyBody = BODY(frame); keyOwner = frame; goto work
      :: else /* the key was used before: the nonce is used up all the same */
      fi
    fi
  }

again: /* idempotency.ts replayStoredResponse: what the store says of the key */
  atomic {
    if :: goto over :: true fi;
    if
    :: key == cancelled -> goto hearNone /* request_cancelled */
    :: else
    fi;
    /* FIRST: who had an answer gets it again, and nothing else */
    assert(firstAnswer == 0 || firstBody != BODY(frame) || (key == answered && keyAnswer == firstAnswer));
#ifndef WITHOUT_FINGERPRINT
    if
    :: key != free && keyBody != BODY(frame) -> goto refuse /* idempotency_mismatch */
    :: else
    fi;
#endif
    if
    :: key == answered -> answer = keyAnswer; goto replay
    :: key == refused -> goto hearNone
#if defined(IDEMPOTENT_ROUTE) || defined(WITHOUT_LIMIT_OF_TAKE_OVER)
    /* idempotency.ts takeOver: it may be that the first one is only slow */
    :: key == running && keyBody == BODY(frame) -> keyOwner = frame; tookOver = true; goto work
#endif
    :: else -> goto refuse /* idempotency_in_progress */
    fi
  }

replay: /* settle.ts settleReplay: its leaf, then the answer */
  if :: goto over :: atomic { tell(); goto leave } fi;

work: /* backends/: the effect, which no store of ours is part of */
  atomic {
    if
    :: goto over
    :: goto refuseAll /* nothing was sent, or the handler says that it has done nothing */
    :: goto release /* step_up_required: the same key is needed again */
    :: true ->
      assert(!toldNone);                  /* NONE */
      assert(intent[frame] || TOLD(frame)); /* LOGGED: no effect without an intent, or what became of it */
#ifdef IDEMPOTENT_ROUTE
      effects = 1;
      answer = 1 + BODY(frame);
#else
      effects++;
      answer = effects;
#endif
      assert(effects == 1);               /* EFFECT: at most one for one key */
    fi
  }
#ifdef WITHOUT_ANSWER_AFTER_COMMIT
  if
  :: goto over
  :: atomic {
      if
      :: firstAnswer == 0 -> firstAnswer = answer; firstBody = BODY(frame)
      :: else
      fi
    }
  fi;
#endif
  if
  :: goto over
  :: goto settle
#ifdef WITHOUT_UNKNOWN_OUTCOME
  :: goto release
#else
  :: goto unsettled /* the backend failed in its work */
#endif
  fi;

settle: /* settle.ts finalizeAnswer: the answer kept, the leaf staged and the intent settled in one commit */
  atomic {
    if
#ifndef WITHOUT_SETTLED_ONCE
    :: !IS_OWN -> goto unsettled
#endif
    :: else ->
      key = answered;
      keyAnswer = answer;
#ifdef WITHOUT_LEAF_IN_COMMIT
      intent[frame] = false;
#else
      tell();
#endif
      KEPT
    fi
  }
#ifdef WITHOUT_LEAF_IN_COMMIT
  if :: goto over :: leaf[frame] = true fi;
#endif
  if
  :: goto over
  :: goto unsettled /* it was told that the commit had failed */
  :: goto leave
  fi;

refuseAll: /* settle.ts finalizeFailure of what did nothing: the key is settled with the refusal, and then it leaves */
#ifdef WITHOUT_NONE_AFTER_COMMIT
  atomic { tellNone() }
#endif
  atomic {
    if
    :: goto over
#ifndef WITHOUT_UNKNOWN_AFTER_TAKE_OVER
    :: tookOver -> goto release /* the one before it may have had its effect */
    :: !tookOver && IS_OWN ->
#else
    :: IS_OWN ->
#endif
#ifdef WITHOUT_SETTLED_REFUSAL
      key = free;
#else
      key = refused;
#endif
      tell()
    :: !IS_OWN -> goto over /* somebody else works with the key: idempotency_in_progress */
    fi
  }
  atomic {
    if
    :: goto over /* a crash, or it was told that the commit had failed: unknown */
    :: true -> tellNone(); goto over
    fi
  }

hearNone: /* settle.ts settleReplay, of a refusal that settled the key or of a key that was cancelled */
  if :: goto over :: atomic { tell(); tellNone(); goto over } fi;

release: /* carry-out.ts afterError: the key is what it was before this request: free, or lost */
  atomic {
    if
    :: goto over
    :: true ->
      if
#ifdef WITHOUT_LOST_AGAIN
      :: IS_OWN -> key = free; tell()
#else
      :: IS_OWN && !tookOver -> key = free; tell()
      :: IS_OWN && tookOver -> tell() /* whoever repeats it may take it over */
#endif
      :: else /* refused: the intent stays, and is told as unknown */
      fi;
      goto over
    fi
  }

unsettled: /* settle.ts finalizeFailure, with carry-out.ts afterError: nobody knows */
  atomic {
    if
    :: true /* a crash, or the store is gone */
#ifdef WITHOUT_SETTLED_ONCE
    :: key = unknown; tell()
#else
    :: IS_OWN -> key = unknown; tell()
#endif
    fi;
    goto over
  }

refuse: /* settle.ts finalizeFailure: a refusal is told like an answer */
  if :: goto over :: atomic { tell(); goto over } fi;

leave: /* seal.ts sealReply: the answer goes out, and may arrive */
  atomic {
    assert(leaf[frame]);                  /* RECEIPT: no answer without its leaf */
    assert(firstAnswer == 0 || firstBody != BODY(frame) || firstAnswer == answer); /* FIRST */
    assert(keyBody == BODY(frame));       /* OWN: nobody gets the answer to another request */
    tellDone();
    if
    :: firstAnswer == 0 -> firstAnswer = answer; firstBody = BODY(frame)
    :: else
    fi;
    goto over
  }
}

/* exchange/outcomes.ts cancel: a person gives up, and asks until it is answered. */
active [CANCELLERS] proctype Canceller() {
  mtype heard;
again:
  atomic {
    if
    :: key == free -> /* one commit */
#ifndef WITHOUT_FENCE
      key = cancelled;
#endif
      heard = cancelled
#ifdef WITHOUT_WAITING_FOR_RUNNING
    :: key == running -> key = cancelled; heard = cancelled
#endif
    :: key == answered || key == refused || key == cancelled -> heard = key
    fi
  }
  atomic {
    if
    :: true /* a crash, or it was told that the commit had failed, or the answer was lost */
    :: heard == answered -> tellDone()
    :: heard != answered -> tellNone()
    fi;
    heard = 0;
    goto again
  }
}

/* log/journal.ts logAbandonedIntents: intents that nobody seems to work on. It may be wrong: a slow service is not a dead one. */
active [HOUSEKEEPERS] proctype Housekeeper() {
  byte frame;
again:
  atomic {
    if
    :: intent[0] -> frame = 0
    :: intent[1] -> frame = 1
#if FRAMES > 2
    :: intent[2] -> frame = 2
#endif
    fi
  }
  atomic {
#ifndef WITHOUT_ONE_TELLER
    if
    :: !intent[frame] -> frame = 0; goto again
    :: else
    fi;
#endif
    assert(!unknownLeaf[frame]);          /* TOLD ONCE: an outcome is told as unknown once, in all processes */
    unknownLeaf[frame] = true;
    intent[frame] = false;
    KEPT;
    frame = 0;
    goto again
  }
}

/* store/claims.ts: a nonce goes when its signature can no longer pass. */
active proctype Clock() {
  byte frame;
#ifdef WITHOUT_KEEPING_KEYS
  atomic { key == cancelled || key == refused; key = free }
#endif
#ifdef WITHOUT_KEEPING_NONCES
  if :: late = true :: true fi;
#else
  late = true;
#endif
  atomic {
#if !defined(WITHOUT_KEEPING_NONCES) && !defined(STANDS_STILL)
    betweenChecks == 0; /* no service stands still between the two checks for as long as a nonce is kept */
#endif
    for (frame : 0 .. FRAMES - 1) { nonce[frame] = false }
    frame = 0
  }
}

/* sessions/device-routes.ts revokeDevice, from another device, or cli/devices.ts. */
active proctype Revocation() {
  revoked = true
}
