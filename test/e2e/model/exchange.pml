/*
 * Replay, idempotency, revocation and the log, under crashes: the stages of service/channel/ against one store.
 *
 * There are FRAMES signed requests, all with one Idempotency-Key of one session. Each has its own nonce: the later ones are
 * retries. With three, the last one has another body, unless -D SAME_BODY. The network is the attacker: it copies, delays,
 * reorders and drops frames, so any service receives any frame at any time, any number of times, or never. A user may retry
 * (another frame) or cancel (a canceller). The model assumes that frames cannot be forged or changed
 * (docs/internals/formal.md, part 2).
 *
 * A service may crash between any two steps and then loses its state. Only the store persists, and each commit to it is one
 * atomic step. A commit may succeed although the service receives an error.
 *
 * Each -D WITHOUT_... removes one guard; test/e2e/model/exchange.test.ts shows that the model then finds a violation.
 * -D IDEMPOTENT_ROUTE is a route whose backend executes each key at most once (service/gateway/backend.ts).
 */

#ifndef FRAMES
#define FRAMES 3
#endif
#ifndef SERVICES
#define SERVICES 2
#endif
#ifndef RECOVERIES
#define RECOVERIES 2
#endif
#ifndef CANCELLERS
#define CANCELLERS 1
#endif
#ifdef SAME_BODY
#define BODY(frame) 0
#else
#define BODY(frame) (FRAMES > 2 && frame == FRAMES - 1)
#endif

mtype = { free, running, completed, unknown, refused, cancelled }

/* The store. */
bool nonce[FRAMES];       /* nonces */
mtype key = free;         /* the idempotency record: its state, */
byte keyBody;             /* its fingerprint, */
byte keyOwner;            /* the request that claimed it (started_at), */
byte keyResponse;           /* and its response */
bool intent[3];           /* tlog_intents */
bool leaf[FRAMES];        /* tlog_pending: the outcome of the request */
bool unknownLeaf[FRAMES]; /* tlog_pending: `outcome-unknown` */
bool revoked;             /* the device and its sessions */

/* Time: every frame is older than the window. */
bool expired;

/* State of the properties, invisible to the services. */
byte effects;
byte accepted[FRAMES];
byte firstResponse;         /* the first one that was sent; 0: none */
byte firstBody;
bool reportedNone;            /* a client got the outcome none: no effect, and never one */
byte betweenChecks;       /* services between the check of the window and the claim of the nonce */

inline begin() { d_step { frame = 0; response = 0; tookOver = false } }
#define IN_LOG(frame) (leaf[frame] || unknownLeaf[frame])

/* The condition of complete-idempotency and release-idempotency (store/claims.ts). */
#ifdef WITHOUT_OWNER
#define IS_OWN (key == running)
#else
#define IS_OWN (key == running && keyOwner == frame)
#endif

/* KEPT: every accepted request is durably in the log or has an intent. */
#ifdef WITHOUT_INTENT_BEFORE_EFFECT
#define KEPT
#else
#define KEPT assert(accepted[frame] == 0 || intent[frame] || IN_LOG(frame))
#endif

/* NONE: after the outcome none there is no effect (see also work). DONE: exactly one. */
#ifdef NO_REPORTS /* without a guard, search for the wrong effect instead of the wrong report */
inline reportNone() { skip }
inline reportDone() { skip }
#else
inline reportNone() { assert(effects == 0); reportedNone = true }
inline reportDone() { assert(effects == 1 && !reportedNone) }
#endif

/* The leaf of an outcome and the removal of its intent: one commit (service/tlog/commit-entries.ts commitEntries). */
inline logOutcome() { leaf[frame] = true; intent[frame] = false }

active [SERVICES] proctype Service() {
  byte frame, response;
  bool tookOver;

idle: /* after a response, a refusal or a crash: no state in memory */
  begin();

  atomic {
    /* Any frame. Size, form, box and signature of every frame are valid. */
    select (frame : 0 .. FRAMES - 1);
    /* open.ts openSessionRequest, verify.ts verifyRequest: the window, and the current or cached session. */
    if
    :: expired -> goto idle
    :: !expired && revoked -> goto idle
    :: !expired -> betweenChecks++
    fi
  }

claim: /* claim.ts claimRequest: nonce, session, key and intent in one commit */
  atomic {
    betweenChecks--;
    if
    :: goto idle /* a crash */
    :: true
    fi;
    if
#ifndef WITHOUT_UNIQUE_NONCE
    :: nonce[frame] -> /* replayed */
#ifdef WITHOUT_OUTCOME_FROM_CLAIM
      reportNone();
#endif
      goto idle
#endif
#ifndef WITHOUT_REVOCATION_IN_COMMIT
    :: revoked -> goto idle /* session_ended */
#endif
    :: else ->
      nonce[frame] = true;
      accepted[frame]++;
      assert(accepted[frame] == 1);       /* ONCE */
      assert(!revoked);                   /* REVOKED */
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
      :: else /* the key was used before: the nonce is claimed nevertheless */
      fi
    fi
  }

again: /* idempotency.ts replayStoredResponse: by the state of the key in the store */
  atomic {
    if :: goto idle :: true fi;
    if
    :: key == cancelled -> goto replayNone /* request_cancelled */
    :: else
    fi;
    /* FIRST */
    assert(firstResponse == 0 || firstBody != BODY(frame) || (key == completed && keyResponse == firstResponse));
#ifndef WITHOUT_FINGERPRINT
    if
    :: key != free && keyBody != BODY(frame) -> goto refuse /* idempotency_mismatch */
    :: else
    fi;
#endif
    if
    :: key == completed -> response = keyResponse; goto replay
    :: key == refused -> goto replayNone
#if defined(IDEMPOTENT_ROUTE) || defined(WITHOUT_LIMIT_OF_TAKE_OVER)
    /* idempotency.ts takeOver: the first request may only be slow */
    :: key == running && keyBody == BODY(frame) -> keyOwner = frame; tookOver = true; goto work
#endif
    :: else -> goto refuse /* idempotency_in_progress */
    fi
  }

replay: /* finalize.ts: its leaf, then the response */
  if :: goto idle :: atomic { logOutcome(); goto respond } fi;

work: /* gateway/: the effect, outside the store */
  atomic {
    if
    :: goto idle
    :: goto refuseAll /* nothing was sent, or the handler reports no effect */
    :: goto release /* step_up_required: the confirmed request uses the same key */
    :: true ->
      assert(!reportedNone);                  /* NONE */
      assert(intent[frame] || IN_LOG(frame)); /* LOGGED */
#ifdef IDEMPOTENT_ROUTE
      effects = 1;
      response = 1 + BODY(frame);
#else
      effects++;
      response = effects;
#endif
      assert(effects == 1);               /* EFFECT */
    fi
  }
#ifdef WITHOUT_RESPONSE_AFTER_COMMIT
  if
  :: goto idle
  :: atomic {
      if
      :: firstResponse == 0 -> firstResponse = response; firstBody = BODY(frame)
      :: else
      fi
    }
  fi;
#endif
  if
  :: goto idle
  :: goto settle
#ifdef WITHOUT_UNKNOWN_OUTCOME
  :: goto release
#else
  :: goto unsettled /* the backend failed during the execution */
#endif
  fi;

settle: /* finalize.ts: the response, the leaf and the removal of the intent in one commit */
  atomic {
    if
#ifndef WITHOUT_SETTLED_ONCE
    :: !IS_OWN -> goto unsettled
#endif
    :: else ->
      key = completed;
      keyResponse = response;
#ifdef WITHOUT_LEAF_IN_COMMIT
      intent[frame] = false;
#else
      logOutcome();
#endif
      KEPT
    fi
  }
#ifdef WITHOUT_LEAF_IN_COMMIT
  if :: goto idle :: leaf[frame] = true fi;
#endif
  if
  :: goto idle
  :: goto unsettled /* the commit reported an error */
  :: goto respond
  fi;

refuseAll: /* finalize.ts: a request without effect settles the key with its refusal before it responds */
#ifdef WITHOUT_NONE_AFTER_COMMIT
  atomic { reportNone() }
#endif
  atomic {
    if
    :: goto idle
#ifndef WITHOUT_UNKNOWN_AFTER_TAKE_OVER
    :: tookOver -> goto release /* the first request may have had its effect */
    :: !tookOver && IS_OWN ->
#else
    :: IS_OWN ->
#endif
#ifdef WITHOUT_SETTLED_REFUSAL
      key = free;
#else
      key = refused;
#endif
      logOutcome()
    :: !IS_OWN -> goto idle /* another request has the key: idempotency_in_progress */
    fi
  }
  atomic {
    if
    :: goto idle /* a crash, or the commit reported an error: unknown */
    :: true -> reportNone(); goto idle
    fi
  }

replayNone: /* finalize.ts: replays a refusal that settled the key, or a cancellation */
  if :: goto idle :: atomic { logOutcome(); reportNone(); goto idle } fi;

release: /* execute.ts: restores the earlier state of the key: free, or unsettled */
  atomic {
    if
    :: goto idle
    :: true ->
      if
#ifdef WITHOUT_LOST_AGAIN
      :: IS_OWN -> key = free; logOutcome()
#else
      :: IS_OWN && !tookOver -> key = free; logOutcome()
      :: IS_OWN && tookOver -> logOutcome() /* a retry may take it over */
#endif
      :: else /* refused: the intent remains, and its outcome is logged as unknown */
      fi;
      goto idle
    fi
  }

unsettled: /* finalize.ts, execute.ts: the outcome is unknown */
  atomic {
    if
    :: true /* a crash, or the store is unavailable */
#ifdef WITHOUT_SETTLED_ONCE
    :: key = unknown; logOutcome()
#else
    :: IS_OWN -> key = unknown; logOutcome()
#endif
    fi;
    goto idle
  }

refuse: /* finalize.ts: a refusal is logged like a response */
  if :: goto idle :: atomic { logOutcome(); goto idle } fi;

respond: /* seal.ts sealAnswer: the response is sent and may arrive */
  atomic {
    assert(leaf[frame]);                  /* RECEIPT */
    assert(firstResponse == 0 || firstBody != BODY(frame) || firstResponse == response); /* FIRST */
    assert(keyBody == BODY(frame));       /* OWN */
    reportDone();
    if
    :: firstResponse == 0 -> firstResponse = response; firstBody = BODY(frame)
    :: else
    fi;
    goto idle
  }
}

/* routes/outcomes.ts: a user cancels, and the client repeats the cancellation until a response arrives. */
active [CANCELLERS] proctype Canceller() {
  mtype outcome;
again:
  atomic {
    if
    :: key == free -> /* one commit */
#ifndef WITHOUT_FENCE
      key = cancelled;
#endif
      outcome = cancelled
#ifdef WITHOUT_WAITING_FOR_RUNNING
    :: key == running -> key = cancelled; outcome = cancelled
#endif
    :: key == completed || key == refused || key == cancelled -> outcome = key
    fi
  }
  atomic {
    if
    :: true /* a crash, an error of the commit, or a lost response */
    :: outcome == completed -> reportDone()
    :: outcome != completed -> reportNone()
    fi;
    outcome = 0;
    goto again
  }
}

/* tlog/appender.ts logAbandonedIntents: intents of requests that appear lost. The service may only be slow. */
active [RECOVERIES] proctype Recovery() {
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
#ifndef WITHOUT_ONE_REPORT
    if
    :: !intent[frame] -> frame = 0; goto again
    :: else
    fi;
#endif
    assert(!unknownLeaf[frame]);          /* LOGGED ONCE */
    unknownLeaf[frame] = true;
    intent[frame] = false;
    KEPT;
    frame = 0;
    goto again
  }
}

/* store/claims.ts: a nonce is pruned when its signature has expired. */
active proctype Clock() {
  byte frame;
#ifdef WITHOUT_KEEPING_KEYS
  atomic { key == cancelled || key == refused; key = free }
#endif
#ifdef WITHOUT_KEEPING_NONCES
  if :: expired = true :: true fi;
#else
  expired = true;
#endif
  atomic {
#if !defined(WITHOUT_KEEPING_NONCES) && !defined(SUSPENDED_SERVICE)
    betweenChecks == 0; /* no service is suspended between the two checks for as long as a nonce is stored */
#endif
    for (frame : 0 .. FRAMES - 1) { nonce[frame] = false }
    frame = 0
  }
}

/* routes/devices.ts, from another device, or cli/commands/devices.ts. */
active proctype Revocation() {
  revoked = true
}
